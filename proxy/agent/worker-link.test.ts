import { Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { type AgentOrder, decodeAgentOrder } from "../channel/agent-order.ts";
import { makeStreamPair } from "../channel/descriptor-channel.ts";
import { encodeFrame, FrameReader, MAX_DOWN_FRAME_BYTES, MAX_UP_FRAME_BYTES } from "../channel/frame.ts";
import { encodeWorkerReport, type WorkerReport } from "../channel/worker-report.ts";
import { WorkerLink } from "./worker-link.ts";

const LIFE = { index: 0, startId: "a", pid: 7, restarts: 0 };

const linked = () => {
  const [near, far] = makeStreamPair();
  const reports: WorkerReport[] = [];
  const onBroken = vi.fn<(problem: string) => void>();
  const link = new WorkerLink(LIFE, near, (report) => reports.push(report), onBroken);
  const worker = new Socket({ fd: far });
  worker.on("error", () => undefined);
  onTestFinished(() => {
    link.close();
    worker.destroy();
  });
  const report = (each: WorkerReport): void => {
    for (const frame of encodeWorkerReport(each)) worker.write(frame);
  };
  return { link, worker, reports, report, onBroken };
};

test("what a worker reports is handed on in order, and the generation that it applies is known", async () => {
  const { link, reports, report } = linked();
  expect(link.appliedGeneration).toBe(0);
  report({ kind: "serving", slots: [1] });
  report({ kind: "applied", generation: 5 });
  await vi.waitFor(() => expect(reports.length).toBe(2));
  expect(reports.map(({ kind }) => kind)).toEqual(["serving", "applied"]);
  expect(link.appliedGeneration).toBe(5);
});

test("orders reach the worker in order, each whole", async () => {
  const { link, worker } = linked();
  const orders: AgentOrder[] = [
    { kind: "resource", resource: "address", name: "a", bytes: Buffer.alloc(300_000, 1) },
    { kind: "resource", resource: "address", name: "b", bytes: undefined },
    { kind: "commit", generation: 1, complete: true },
  ];
  const reader = new FrameReader(MAX_DOWN_FRAME_BYTES);
  const received: AgentOrder[] = [];
  worker.on("data", (chunk: Buffer) => received.push(...reader.push(chunk).map(decodeAgentOrder)));
  link.send(orders);
  await vi.waitFor(() => expect(received.length).toBe(3));
  expect(received).toMatchObject([{ name: "a" }, { name: "b", bytes: undefined }, { generation: 1, complete: true }]);
});

test.each([
  ["a report of no known kind", encodeFrame({ kind: "applied?" }), /malformed report/],
  ["a generation that is none", encodeFrame({ kind: "applied", generation: 1.5 }), /malformed report/],
  ["no object at all", encodeFrame(null), /malformed report/],
  [
    "a frame that is too long",
    Buffer.from(Uint32Array.of(MAX_UP_FRAME_BYTES + 1, 0).buffer),
    /malformed frame: .*longer/,
  ],
  ["a frame shorter than its head", Buffer.from(Uint32Array.of(4, 100).buffer), /malformed frame: .*shorter/],
  ["what is no JSON", Buffer.concat([Buffer.from(Uint32Array.of(5, 1).buffer), Buffer.from("{")]), /malformed frame/],
])("a worker that sends %s is given up, once, and nothing more of it is heard", async (_, bytes, problem) => {
  const { link, worker, reports, report, onBroken } = linked();
  worker.write(bytes);
  report({ kind: "applied", generation: 5 });
  await vi.waitFor(() => expect(worker.destroyed).toBe(true));
  expect(onBroken.mock.calls).toEqual([[expect.stringMatching(problem)]]);
  expect([reports, link.appliedGeneration]).toEqual([[], 0]);
  link.send([{ kind: "commit", generation: 1, complete: false }]);
  link.check();
});

test("a worker that reads nothing is given up before it has a gigabyte waiting", () => {
  const { link, worker, onBroken } = linked();
  worker.pause();
  const order: AgentOrder = { kind: "resource", resource: "address", name: "a", bytes: Buffer.alloc(16 * 1024 * 1024) };
  let sent = 0;
  for (; sent < 64 && onBroken.mock.calls.length === 0; sent++) link.send([order]);
  expect(sent).toBeGreaterThan(15);
  expect(onBroken.mock.calls).toEqual([["it does not read what is sent to it"]]);
});

test("a worker that says nothing for ten looks is given up; a word, whatever it is, is a sign of life", async () => {
  const { link, reports, report, onBroken } = linked();
  for (let look = 0; look < 10; look++) link.check();
  expect(onBroken).not.toHaveBeenCalled();
  report({ kind: "flows", flows: [], left: [], dropped: 0 });
  await vi.waitFor(() => expect(reports.length).toBe(1));
  for (let look = 0; look < 10; look++) link.check();
  expect(onBroken).not.toHaveBeenCalled();
  link.check();
  link.check();
  expect(onBroken.mock.calls).toEqual([["it has said nothing for 10 s"]]);
});

test("a link that is closed is no broken one: its worker is gone, and nobody has to end it", async () => {
  const { link, worker, onBroken } = linked();
  link.close();
  for (let look = 0; look < 20; look++) link.check();
  link.send([{ kind: "commit", generation: 1, complete: false }]);
  await vi.waitFor(() => expect(worker.destroyed).toBe(true));
  expect(onBroken).not.toHaveBeenCalled();
});
