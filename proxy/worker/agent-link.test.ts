import { once } from "node:events";
import { Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { type AgentOrder, encodeAgentOrder } from "../channel/agent-order.ts";
import { makeStreamPair } from "../channel/descriptor-channel.ts";
import { FrameReader, MAX_UP_FRAME_BYTES } from "../channel/frame.ts";
import { decodeWorkerReport, type WorkerReport } from "../channel/worker-report.ts";
import { AgentLink } from "./agent-link.ts";

const linked = () => {
  const log: (AgentOrder | "batch")[] = [];
  const link = new AgentLink(
    (order) => void log.push(order),
    () => void log.push("batch"),
  );
  /** A new agent, at the other end. */
  const agent = (): Socket => {
    const [near, far] = makeStreamPair();
    link.replace(near);
    const socket = new Socket({ fd: far });
    socket.on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  return { link, log, agent };
};

const commit = (generation: number): AgentOrder => ({ kind: "commit", generation, complete: false });

/** Every report that an agent gets. */
const reportsAt = (agent: Socket): WorkerReport[] => {
  const reports: WorkerReport[] = [];
  const reader = new FrameReader(MAX_UP_FRAME_BYTES);
  agent.on("data", (chunk: Buffer) => {
    for (const frame of reader.push(chunk)) {
      const report = decodeWorkerReport(frame);
      if (report) reports.push(report);
    }
  });
  return reports;
};

test("orders come in their order, and what came together is one batch that ends after them", async () => {
  const { log, agent } = linked();
  const first = agent();
  first.write(Buffer.concat([encodeAgentOrder(commit(1)), encodeAgentOrder(commit(2))]));
  await vi.waitFor(() => expect(log).toEqual([commit(1), commit(2), "batch"]));
});

test("an order that comes in pieces is one order", async () => {
  const { log, agent } = linked();
  const socket = agent();
  const bytes = encodeAgentOrder(commit(1));
  socket.write(bytes.subarray(0, 7));
  await vi.waitFor(() => expect(log).toEqual(["batch"]));
  socket.write(bytes.subarray(7));
  await vi.waitFor(() => expect(log).toEqual(["batch", commit(1), "batch"]));
});

test("reports reach the agent in their order", async () => {
  const { link, agent } = linked();
  const reports = reportsAt(agent());
  link.send({ kind: "applied", generation: 1 });
  link.send({ kind: "serving", slots: [1, 2] });
  await vi.waitFor(() =>
    expect(reports).toEqual([
      { kind: "applied", generation: 1 },
      { kind: "serving", slots: [1, 2] },
    ]),
  );
});

test("a new agent takes the place of the one before, whose stream is closed and whose end ends nothing", async () => {
  const { link, log, agent } = linked();
  const first = agent();
  const ended = once(first.resume(), "close");
  const second = agent();
  const reports = reportsAt(second);
  await ended;
  // Our own end of it may say later that it is closed.
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  expect(link.isUp).toBe(true);
  link.send({ kind: "applied", generation: 2 });
  await vi.waitFor(() => expect(reports).toHaveLength(1));
  second.write(encodeAgentOrder(commit(3)));
  await vi.waitFor(() => expect(log).toContainEqual(commit(3)));
});

test("without an agent nothing is sent, and nothing breaks; there is one again when it comes", async () => {
  const { link, agent } = linked();
  expect(link.isUp).toBe(false);
  link.send({ kind: "applied", generation: 1 });
  agent().destroy();
  await vi.waitFor(() => expect(link.isUp).toBe(false));
  link.send({ kind: "applied", generation: 2 });
  const reports = reportsAt(agent());
  expect(link.isUp).toBe(true);
  link.send({ kind: "applied", generation: 3 });
  await vi.waitFor(() => expect(reports).toEqual([{ kind: "applied", generation: 3 }]));
});

test("an agent that does not read is not up, until it reads", async () => {
  const { link, agent } = linked();
  const socket = agent();
  socket.pause();
  const flows = Array.from({ length: 256 }, () => ({ error: "x".repeat(1_000) }));
  for (let reports = 0; link.isUp && reports < 1_000; reports++)
    link.send({ kind: "flows", flows, left: [], dropped: 0 });
  expect(link.isUp).toBe(false);
  socket.resume();
  await vi.waitFor(() => expect(link.isUp).toBe(true));
});
