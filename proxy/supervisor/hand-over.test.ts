import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { closeDescriptors, receiveDescriptors, sendPacket } from "../channel/descriptor-channel.ts";
import { openSupervisorChannel } from "../channel/supervisor-channel.ts";
import { duplicate } from "../kernel/libc.ts";
import type * as PeerCredentials from "../kernel/peer-credentials.ts";
import { mayEnterNamespaces } from "../kernel/peer-credentials.ts";
import { connectUnixSocket } from "../kernel/unix-socket.ts";
import { openDescriptors } from "../testing/open-descriptors.ts";
import { captureStateOf, mayUseNamespaces, testNamespace } from "../testing/test-namespace.ts";
import { CapturedNamespaces } from "./captured-namespaces.ts";
import { EnrolledPod } from "./enrolled-pod.ts";
import type { EnrolmentRecord } from "./enrolment.ts";
import { serveEnrolment } from "./enrolment-server.ts";
import { decodeGiving } from "./hand-over.ts";
import { Giver } from "./giver.ts";
import type { Log } from "./log.ts";
import type { NodeProxy } from "./node-proxy.ts";
import { Taker } from "./taker.ts";
import { Turns } from "./turns.ts";

vi.mock(import("../kernel/peer-credentials.ts"), async (original): Promise<typeof PeerCredentials> => {
  const module = await original();
  return { ...module, mayEnterNamespaces: vi.fn(module.mayEnterNamespaces) };
});

const NOWHERE = new CapturedNamespaces("/nonexistent");

const inNamespaces = test.runIf(mayUseNamespaces);

const recordOf = (netns: string): EnrolmentRecord => ({
  uid: "a",
  namespace: "shop",
  name: "web-0",
  serviceAccount: "web",
  addresses: ["10.9.0.1"],
  netns,
  node: "node-1",
  probeAddresses: ["10.9.0.7"],
  capabilities: ["NET_RAW"],
});

/** An old supervisor with this pod, without children, on a real socket. */
const oldSupervisor = async (pods: readonly EnrolledPod[] = []) => {
  vi.mocked(mayEnterNamespaces).mockReturnValue(true);
  const directory = mkdtempSync(join(tmpdir(), "heddle-hand-over-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "enrol.sock");
  const turns = new Turns();
  const proxy = {
    hold: () => turns.hold(),
    pods: pods.map((pod) => ({ pod, isIsolated: true, isPrepared: true })),
    isComplete: true,
    connectionsLeft: 3,
    retire: vi.fn<NodeProxy["retire"]>(),
    letGo: vi.fn<NodeProxy["letGo"]>(),
  };
  const leave = vi.fn<() => void>();
  const objection = vi.fn<() => string | undefined>();
  const giver = new Giver(proxy as unknown as NodeProxy, vi.fn<Log>(), objection, { leave, over: () => undefined });
  const enroller = {
    enrol: () => Promise.resolve(),
    drain: () => true,
    withdraw: () => Promise.resolve(),
    complete: () => Promise.resolve(),
    draining: undefined,
    handOver: (...given: Parameters<Giver["give"]>) => giver.give(...given),
  };
  const server = await serveEnrolment(path, enroller, vi.fn<Log>());
  onTestFinished(() => server.close());
  let slots = 10;
  const take = () => Taker.connect(path, (record, namespace) => new EnrolledPod(++slots, record, NOWHERE, namespace));
  return { path, proxy, turns, leave, objection, take };
};

const taken = async (take: () => Promise<Taker | undefined>): Promise<Taker> => {
  const taker = await take();
  if (!taker) throw new Error("nobody hands over");
  onTestFinished(() => taker.giveUp());
  return taker;
};

test("where nobody serves there is nothing to take over", async () => {
  expect(
    await Taker.connect("/nonexistent/enrol.sock", (record) => new EnrolledPod(1, record, NOWHERE)),
  ).toBeUndefined();
});

test("who takes over hears when the path is free and what is left, and says which pods go", async () => {
  const { proxy, take, leave } = await oldSupervisor();
  const taker = await taken(take);
  expect(await taker.pods()).toEqual({ pods: [], isComplete: true });
  expect([taker.draining, proxy.retire.mock.calls.length]).toEqual([undefined, 0]);
  await taker.take(7_000);
  expect(leave).toHaveBeenCalledTimes(1);
  expect(proxy.retire.mock.calls.map(([drainMs]) => drainMs)).toEqual([7_000]);
  await vi.waitFor(() => expect(taker.draining).toMatchObject({ pid: process.pid, connections: 3 }));
  taker.withdrawn("a");
  await vi.waitFor(() => expect(proxy.letGo.mock.calls).toEqual([["a"]]));
});

test("while it is handed over nobody comes or goes, and when it is given up everything goes on", async () => {
  const { take, turns } = await oldSupervisor();
  const taker = await taken(take);
  await taker.pods();
  const done = vi.fn<() => Promise<void>>(() => Promise.resolve());
  const turn = turns.run("a", done);
  await expect(take()).rejects.toThrow("another supervisor is taking over already");
  expect(done).not.toHaveBeenCalled();
  taker.giveUp();
  await turn;
  const next = await taken(take);
  expect((await next.pods()).isComplete).toBe(true);
});

test("who could not have made the sockets himself gets none, and nobody while something is in the way", async () => {
  const { take, objection } = await oldSupervisor();
  vi.mocked(mayEnterNamespaces).mockReturnValueOnce(false);
  await expect(take()).rejects.toThrow("must hold CAP_SYS_ADMIN and CAP_NET_ADMIN");
  objection.mockReturnValueOnce("the one before it still has 3 connections");
  await expect(take()).rejects.toThrow("the one before it still has 3 connections");
  await taken(take);
});

/** The new one's end of a hand-over, by hand. */
const takeByHand = async (path: string) => {
  const connection = connectUnixSocket(path) ?? -1;
  sendPacket(connection, {
    payload: Buffer.from('{"version":1,"kind":"hand-over","handOver":1}\n'),
    descriptors: [],
  });
  const [packets = -1, bell = -1] = await vi.waitFor(() => {
    const [answer] = receiveDescriptors(connection);
    return answer?.descriptors ?? expect.fail("no answer yet");
  });
  closeDescriptors([connection]);
  const channel = openSupervisorChannel(
    () => undefined,
    () => closeDescriptors([packets]),
    { packets, bell },
  );
  onTestFinished(() => channel.close());
  return (text: string) => channel.write(Buffer.from(text));
};

test("what a newer one says that nobody here knows changes nothing, and what is no message at all ends the hand-over", async () => {
  const { path, proxy, take, leave } = await oldSupervisor();
  const say = await takeByHand(path);
  say('{"kind":"greeting"}\n{"kind":"withdrawn","uid":"a"}\n');
  await vi.waitFor(() => expect(proxy.letGo.mock.calls).toEqual([["a"]]));
  expect([proxy.retire.mock.calls, leave.mock.calls]).toEqual([[], []]);
  say("GET / HTTP/1.1\n");
  await vi.waitFor(async () => expect(await taken(take)).toBeDefined());
  expect(proxy.retire).not.toHaveBeenCalled();
});

test("what an older one does not say of a pod has a default, and nothing that it says is lost", () => {
  const { probeAddresses, capabilities, ...record } = recordOf("/run/netns/web");
  const said = { kind: "pod", record, namespace: "4:7", capture: {} };
  expect(decodeGiving(Buffer.from(JSON.stringify(said)))).toEqual({
    ...said,
    record: { ...record, probeAddresses: [], capabilities: [] },
    capture: { sysctls: [], generation: undefined, definition: "" },
    home: -1,
    isIsolated: false,
    isPrepared: true,
  });
  const all = {
    ...said,
    record: { ...record, probeAddresses, capabilities },
    capture: { sysctls: [["tcp_tw_reuse", { before: "2", set: "1" }]], generation: 3, definition: "f00" },
    home: 2,
    isIsolated: true,
    isPrepared: false,
  };
  expect(decodeGiving(Buffer.from(JSON.stringify(all)))).toEqual(all);
});

inNamespaces("a pod goes over with its sockets, its rules and what its namespace was like before", async () => {
  const namespace = await testNamespace();
  const untouched = await captureStateOf(namespace);
  const own = new EnrolledPod(1, recordOf(namespace.path), NOWHERE);
  await own.start();
  own.home = 5;
  const enrolled = await captureStateOf(namespace);
  const { take } = await oldSupervisor([own]);
  const taker = await taken(take);
  const { pods } = await taker.pods();
  expect(pods).toMatchObject([{ isIsolated: true, isPrepared: true }]);
  const pod = pods[0]?.pod as EnrolledPod;
  expect([pod.record, pod.home, pod.slot, pod.namespaceIdentity]).toEqual([own.record, 5, 11, own.namespaceIdentity]);
  expect(await captureStateOf(namespace)).toBe(enrolled);
  expect(await pod.capture.check()).toBeUndefined();
  // The old one goes, and touches nothing; the new one can put everything back as the old one found it.
  own.forget();
  expect(await captureStateOf(namespace)).toBe(enrolled);
  await pod.release();
  expect(await captureStateOf(namespace)).toBe(untouched);
});

inNamespaces("descriptors that are not what they are said to be are refused, and none stays open", async () => {
  const [one, other] = [await testNamespace(), await testNamespace()];
  const pods = [
    new EnrolledPod(1, recordOf(one.path), NOWHERE),
    new EnrolledPod(2, recordOf(other.path), NOWHERE),
  ] as const;
  for (const pod of pods) await pod.start();
  onTestFinished(async () => {
    for (const pod of pods) await pod.release();
  });
  const [first, second] = [pods[0].duplicateAll(), pods[1].duplicateAll()];
  const attempts: [string, readonly (number | undefined)[]][] = [
    ["is not its network namespace", [second[0], first[1], first[2], first[3]]],
    ["is not its network namespace", [first[1], first[1], first[2], first[3]]],
    ["port 15001: it is in another network namespace", [first[0], second[1], first[2], first[3]]],
    ["port 15001: it listens on port 15006, not 15001", [first[0], first[2], first[1], first[3]]],
    ["port 15008: it is no socket that listens", [first[0], first[1], first[2], first[0]]],
  ];
  for (const [problem, descriptors] of attempts) {
    const before = openDescriptors();
    const spied = vi
      .spyOn(pods[0], "duplicateAll")
      .mockImplementation(() => descriptors.map((fd) => duplicate(fd ?? -1)));
    const { take } = await oldSupervisor([pods[0]]);
    const taker = await taken(take);
    await expect(taker.pods(), problem).rejects.toThrow(problem);
    taker.giveUp();
    spied.mockRestore();
    await vi.waitFor(() => expect(openDescriptors()).toBeLessThanOrEqual(before + 3));
  }
});
