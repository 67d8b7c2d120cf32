import { expect, test, vi } from "vitest";
import { settled } from "#mesh/testing/manual-clock.ts";
import { FakeStream } from "../testing/fake-discovery-stream.ts";
import { WEB_0, workloadBytes } from "../testing/resource-bytes.ts";
import { enrolledPod, runningAgent } from "../testing/running-agent.ts";
import { ControlPlaneClient, type DiscoveryStream } from "./control-plane-client.ts";
import { agentStatus } from "./status.ts";

const MINUTES = 60_000;
const LATE = "spiffe://cluster.local/ns/shop/sa/late";

const late = enrolledPod({ uid: "uid-late", name: "late", serviceAccount: "late", addresses: ["10.244.1.20"] });

/** An agent that has everything, whose control plane then refuses every connection. */
const left = async () => {
  const running = await runningAgent();
  const worker = running.worker();
  running.supervisor({ kind: "complete" });
  running.respond("trust-bundle", [running.bundle]);
  running.respond("address", [{ name: WEB_0, bytes: workloadBytes() }]);
  running.respond("authorization");
  running.respond("routing");
  running.supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  await vi.waitFor(() => expect([worker.commits, worker.credentials.length]).toEqual([[4], 1]));
  const open = vi.spyOn(ControlPlaneClient.prototype, "openDiscovery");
  const timers = running.clock.waiting;
  open.mockClear();
  open.mockImplementation(() => Promise.reject(new Error("connect ECONNREFUSED 127.0.0.1:15012")));
  const signed = running.sign.getMockImplementation();
  running.sign.mockImplementation(() => Promise.reject(new Error("14 UNAVAILABLE: no connection")));
  const leftAt = running.clock.now();
  running.streams.at(-1)?.end("the connection was lost");
  const back = (): void => {
    open.mockImplementation(() => {
      const stream = new FakeStream();
      running.streams.push(stream);
      return Promise.resolve(stream as unknown as DiscoveryStream);
    });
    if (signed) running.sign.mockImplementation(signed);
  };
  return { ...running, worker, open, timers, leftAt, back };
};

test("with the control plane away for ten minutes what it said stays in force, it is tried again within 18 s at the longest, and nothing grows", async () => {
  const { agent, worker, clock, open, timers, leftAt } = await left();
  const attempts: number[] = [];
  for (let second = 0; second < 600; second++) {
    await clock.pass(1_000);
    attempts.push(open.mock.calls.length);
  }
  const total = attempts.at(-1) ?? 0;
  expect(total).toBeGreaterThan(600 / 18);
  expect(total).toBeLessThan(60);
  for (let second = 18; second < 600; second++) expect(attempts[second]).toBeGreaterThan(attempts[second - 18] ?? 0);
  expect(clock.waiting).toBeLessThanOrEqual(timers + 1);
  expect(agent.notReady).toEqual([]);
  expect(agent.enforcedGeneration).toBeLessThanOrEqual(4);
  expect([worker.commits, worker.credentials.length]).toEqual([[4], 1]);
  expect(agentStatus(agent).controlPlane).toMatchObject({
    connected: false,
    since: new Date(leftAt).toISOString(),
    lastError: expect.stringContaining("ECONNREFUSED") as unknown,
  });
});

test("a pod that comes meanwhile has no certificate, and the status says why; it gets one as soon as the control plane is back", async () => {
  const { agent, clock, sign, back, respond, supervisor } = await left();
  supervisor({ kind: "pod", slot: 2, worker: 0, pod: late });
  await clock.pass(10 * MINUTES);
  const requests = sign.mock.calls.filter(([{ identity }]) => identity === LATE).length;
  expect(requests).toBeGreaterThan(5);
  expect(requests).toBeLessThan(20);
  const certificate = (): object | undefined =>
    agentStatus(agent).certificates.find(({ identity }) => identity === LATE);
  expect(certificate()).toMatchObject({
    state: "failing",
    lastError: expect.stringContaining("UNAVAILABLE") as unknown,
  });
  back();
  await clock.pass(18_000);
  const stopped = clock.now();
  respond("address");
  await vi.waitFor(() => expect(certificate()).toMatchObject({ state: "valid" }));
  // No time has passed since it was back: nobody waited for the next attempt.
  expect(clock.now()).toBe(stopped);
});

test("a pod that goes meanwhile is gone, with its key, and pods that come and go leave nothing", async () => {
  const { agent, worker, clock, timers, supervisor } = await left();
  supervisor({ kind: "pod-gone", slot: 1 });
  for (let slot = 2; slot < 200; slot++) {
    const account = `account-${slot}`;
    supervisor({ kind: "pod", slot, worker: 0, pod: enrolledPod({ uid: `uid-${slot}`, serviceAccount: account }) });
    await clock.pass(3_000);
    supervisor({ kind: "pod-gone", slot });
  }
  await vi.waitFor(() => expect(worker.credentials[1]).toBe("-spiffe://cluster.local/ns/shop/sa/web"));
  const { pods, certificates } = agentStatus(agent);
  expect([pods, certificates]).toEqual([[], []]);
  await settled();
  expect(clock.waiting).toBeLessThanOrEqual(timers + 1);
});
