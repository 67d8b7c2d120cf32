import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type * as PeerCredentials from "../kernel/peer-credentials.ts";
import { peerCredentials } from "../kernel/peer-credentials.ts";
import { type EnrolmentAnswer, MAX_LINE_LENGTH } from "./enrolment.ts";
import { type Enroller, serveEnrolment } from "./enrolment-server.ts";
import type { Log } from "./log.ts";

vi.mock(import("../kernel/peer-credentials.ts"), async (original): Promise<typeof PeerCredentials> => {
  const module = await original();
  return { ...module, peerCredentials: vi.fn(module.peerCredentials) };
});

const POD = {
  uid: "a",
  namespace: "shop",
  name: "web-0",
  serviceAccount: "web",
  addresses: ["10.244.1.10"],
  netns: "/run/netns/web",
  node: "node-1",
};

const line = (request: object): string => `${JSON.stringify({ version: 1, ...request })}\n`;
const enrolLine = (uid: string): string => line({ kind: "enrol", pod: { ...POD, uid } });

/** A server on a real socket, with a proxy that does what the test says. */
const serving = async () => {
  const directory = mkdtempSync(join(tmpdir(), "heddle-enrol-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "enrol.sock");
  const proxy = {
    enrol: vi.fn<Enroller["enrol"]>(() => Promise.resolve()),
    drain: vi.fn<Enroller["drain"]>(() => true),
    withdraw: vi.fn<Enroller["withdraw"]>(() => Promise.resolve()),
    complete: vi.fn<(named: readonly string[]) => Promise<void>>(() => Promise.resolve()),
    draining: undefined as Enroller["draining"],
    handOver: vi.fn<Enroller["handOver"]>(() => undefined),
  };
  const log = vi.fn<Log>();
  const enroller: Enroller = {
    ...proxy,
    complete: (named) => proxy.complete([...named]),
    get draining() {
      return proxy.draining;
    },
  };
  const server = await serveEnrolment(path, enroller, log);
  onTestFinished(() => server.close());
  return { path, proxy, log, server, client: () => connectTo(path) };
};

/** The enroller's end, and the answers that came. */
const connectTo = async (path: string) => {
  const socket = connect(path);
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, "connect");
  const answers = (): readonly EnrolmentAnswer[] =>
    text
      .split("\n")
      .slice(0, -1)
      .map((each) => JSON.parse(each) as EnrolmentAnswer);
  const answered = async (count: number): Promise<readonly EnrolmentAnswer[]> =>
    await vi.waitFor(() => {
      expect(answers().length).toBe(count);
      return answers();
    });
  return { socket, answers, answered };
};

const closed = async (socket: Socket): Promise<void> => {
  if (socket.closed) return;
  // `once` would reject with the socket's error.
  await new Promise((resolve) => {
    socket.once("close", resolve);
  });
};

test("each request has its answer", async () => {
  const { proxy, client } = await serving();
  const { socket, answered } = await client();
  socket.write(enrolLine("a"));
  expect(await answered(1)).toEqual([{ version: 1, kind: "enrolled", uid: "a" }]);
  socket.write(line({ kind: "drain", uid: "a" }));
  expect((await answered(2))[1]).toEqual({ version: 1, kind: "draining", uid: "a" });
  socket.write(line({ kind: "withdraw", uid: "a" }));
  expect((await answered(3))[2]).toEqual({ version: 1, kind: "withdrawn", uid: "a" });
  socket.write(line({ kind: "complete" }));
  expect((await answered(4))[3]).toEqual({ version: 1, kind: "completed" });
  expect(proxy.enrol.mock.calls).toMatchObject([[{ ...POD, probeAddresses: [], capabilities: [] }]]);
  expect([proxy.drain.mock.calls, proxy.withdraw.mock.calls]).toEqual([[["a"]], [["a"]]]);
});

test("a pod is answered for when it is captured, and not before", async () => {
  const { proxy, client } = await serving();
  const captured = Promise.withResolvers<void>();
  proxy.enrol.mockImplementation(({ uid }) => (uid === "slow" ? captured.promise : Promise.resolve()));
  const { socket, answered } = await client();
  socket.write(enrolLine("slow") + enrolLine("fast"));
  expect(await answered(1)).toMatchObject([{ uid: "fast" }]);
  captured.resolve();
  expect((await answered(2))[1]).toMatchObject({ kind: "enrolled", uid: "slow" });
});

test("a pod that cannot be captured is refused with the reason, which is logged too", async () => {
  const { proxy, client, log } = await serving();
  proxy.enrol.mockRejectedValueOnce(new Error("/run/netns/web is not a network namespace"));
  proxy.withdraw.mockImplementationOnce(() => {
    throw new Error("no");
  });
  proxy.drain.mockReturnValueOnce(false);
  const { socket, answered } = await client();
  socket.write(enrolLine("a") + line({ kind: "withdraw", uid: "b" }) + line({ kind: "drain", uid: "c" }));
  const answers = await answered(3);
  expect(answers.toSorted((x, y) => JSON.stringify(x).localeCompare(JSON.stringify(y)))).toEqual(
    [
      { version: 1, kind: "refused", uid: "a", reason: "/run/netns/web is not a network namespace" },
      { version: 1, kind: "refused", uid: "b", reason: "no" },
      { version: 1, kind: "refused", uid: "c", reason: "this pod is not enrolled" },
    ].toSorted((x, y) => JSON.stringify(x).localeCompare(JSON.stringify(y))),
  );
  expect(log.mock.calls.map(([level]) => level)).toEqual(["error", "error", "error"]);
});

test("two requests in one piece are two, and half a request waits for its other half", async () => {
  const { proxy, client } = await serving();
  const { socket, answered, answers } = await client();
  const text = enrolLine("a") + enrolLine("b") + enrolLine("ç");
  const bytes = Buffer.from(text);
  const middle = bytes.indexOf("ç") + 1;
  socket.write(bytes.subarray(0, middle));
  await answered(2);
  expect(proxy.enrol).toHaveBeenCalledTimes(2);
  for (const byte of bytes.subarray(middle, -1)) socket.write(Uint8Array.of(byte));
  expect(answers().length).toBe(2);
  socket.write("\n\n  \n");
  expect((await answered(3))[2]).toMatchObject({ kind: "enrolled", uid: "ç" });
});

test("a line that says nothing sensible is answered with what is wrong, and the next is understood", async () => {
  const { client, proxy } = await serving();
  const { socket, answered } = await client();
  socket.write(`hello\n${line({ kind: "enroll" })}${enrolLine("a")}`);
  expect(await answered(3)).toEqual([
    { version: 1, kind: "error", reason: "not JSON" },
    { version: 1, kind: "error", reason: 'kind "enroll" is unknown' },
    { version: 1, kind: "enrolled", uid: "a" },
  ]);
  expect(proxy.enrol).toHaveBeenCalledTimes(1);
});

test.each([
  ["with its end", `${"x".repeat(MAX_LINE_LENGTH + 1)}\n`],
  ["without end", "x".repeat(MAX_LINE_LENGTH + 1)],
])("an enroller whose line is too long, %s, is sent away, and others are served on", async (_, text) => {
  const { client, log } = await serving();
  const [bad, good] = [await client(), await client()];
  bad.socket.write(text);
  await closed(bad.socket);
  expect(log.mock.calls).toMatchObject([["error", expect.stringMatching(/too long/), { max: MAX_LINE_LENGTH }]]);
  good.socket.write(enrolLine("a"));
  await good.answered(1);
});

test("a line of the greatest length is still read", async () => {
  const { client } = await serving();
  const { socket, answered } = await client();
  socket.write(`${enrolLine("a").trimEnd().padEnd(MAX_LINE_LENGTH)}\n`);
  expect(await answered(1)).toMatchObject([{ kind: "enrolled" }]);
});

test("complete names what this enroller has enrolled and not withdrawn", async () => {
  const { client, proxy } = await serving();
  const [first, second] = [await client(), await client()];
  first.socket.write(enrolLine("other's"));
  await first.answered(1);
  second.socket.write(enrolLine("a") + enrolLine("b") + line({ kind: "withdraw", uid: "a" }) + enrolLine("c"));
  second.socket.write(line({ kind: "complete" }));
  await second.answered(5);
  expect(proxy.complete.mock.calls).toEqual([[["b", "c"]]]);
});

test("a pod whose enrolment was refused counts as named: it is there, and what is there is not withdrawn", async () => {
  const { client, proxy } = await serving();
  proxy.enrol.mockRejectedValue(new Error("no"));
  const { socket, answered } = await client();
  socket.write(enrolLine("a") + line({ kind: "complete" }));
  await answered(2);
  expect(proxy.complete.mock.calls).toEqual([[["a"]]]);
});

test("of many requests 16 are under way at once, and the others follow in their order", async () => {
  const { client, proxy } = await serving();
  const ends: (() => void)[] = [];
  proxy.enrol.mockImplementation(
    () =>
      new Promise((resolve) => {
        ends.push(resolve);
      }),
  );
  const { socket, answered } = await client();
  const uids = Array.from({ length: 20 }, (_, index) => `pod-${index}`);
  socket.write(uids.map(enrolLine).join(""));
  for (let done = 0; done < uids.length; done++) {
    await vi.waitFor(() => expect(ends.length).toBe(Math.min(uids.length, 16 + done)));
    ends[done]?.();
    await answered(done + 1);
  }
  expect(proxy.enrol.mock.calls.map(([{ uid }]) => uid)).toEqual(uids);
});

test("an enroller that goes away leaves undone what it had waiting: the next one may say otherwise", async () => {
  const { client, proxy, server } = await serving();
  const ends: (() => void)[] = [];
  proxy.enrol.mockImplementation(
    () =>
      new Promise((resolve) => {
        ends.push(resolve);
      }),
  );
  const { socket } = await client();
  const uids = Array.from({ length: 20 }, (_, index) => `pod-${index}`);
  socket.write(uids.map(enrolLine).join(""));
  await vi.waitFor(() => expect(ends.length).toBe(16));
  socket.destroy();
  await closed(socket);
  for (const end of ends) end();
  await vi.waitFor(() => expect(server.connections).toBe(0));
  expect(proxy.enrol).toHaveBeenCalledTimes(16);
});

test("an enroller that goes away in the middle of a line has said nothing", async () => {
  const { client, proxy, server } = await serving();
  const { socket } = await client();
  socket.end(line({ kind: "withdraw", uid: "a" }).trimEnd());
  await vi.waitFor(() => expect(server.connections).toBe(0));
  expect(proxy.withdraw).not.toHaveBeenCalled();
});

test("a process of another user is sent away before it has said anything", async () => {
  const { client, proxy, log } = await serving();
  vi.mocked(peerCredentials).mockReturnValueOnce({ pid: 1, uid: 65_534, gid: 65_534 });
  const { socket } = await client();
  socket.write(enrolLine("a"));
  await closed(socket);
  expect(proxy.enrol).not.toHaveBeenCalled();
  expect(log.mock.calls).toMatchObject([["warn", expect.stringMatching(/another user/)]]);
});

test("only the owner may connect, and a socket that a killed supervisor left behind is replaced", async () => {
  const { path, proxy, server } = await serving();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const successor = await serveEnrolment(path, { ...proxy, complete: () => Promise.resolve() }, vi.fn<Log>());
  onTestFinished(() => successor.close());
  const { socket, answered } = await connectTo(path);
  socket.write(enrolLine("a"));
  await answered(1);
  expect([server.connections, successor.connections]).toEqual([0, 1]);
});

test("an enroller learns which supervisor this is, and what is left of the one before it", async () => {
  const { client, proxy } = await serving();
  const { socket, answered } = await client();
  socket.write(line({ kind: "status" }));
  expect(await answered(1)).toEqual([{ version: 1, kind: "status", pid: process.pid }]);
  proxy.draining = { pid: 7, connections: 3, endsInMs: 1_500 };
  socket.write(line({ kind: "status" }));
  expect((await answered(2))[1]).toMatchObject({ draining: { pid: 7, connections: 3, endsInMs: 1_500 } });
});

test("whoever wants to take over is answered by whoever hands over, or told why not", async () => {
  const { client, proxy } = await serving();
  const { socket, answered } = await client();
  proxy.handOver.mockReturnValueOnce("hand-over version 9 is not spoken, only 1");
  socket.write(line({ kind: "hand-over", handOver: 9 }));
  expect(await answered(1)).toMatchObject([{ kind: "error", reason: "hand-over version 9 is not spoken, only 1" }]);
  socket.write(line({ kind: "hand-over", handOver: "1" }));
  expect((await answered(2))[1]).toMatchObject({ kind: "error", reason: "handOver must be a number" });
  socket.write(line({ kind: "hand-over", handOver: 1 }));
  await vi.waitFor(() => expect(proxy.handOver.mock.calls.map(([, version]) => version)).toEqual([9, 1]));
});

test("a server that is closed leaves its path, and everybody who is connected", async () => {
  const { client, path, server } = await serving();
  const { socket } = await client();
  await vi.waitFor(() => expect(server.connections).toBe(1));
  server.close();
  await closed(socket);
  expect(() => statSync(path)).toThrow("ENOENT");
});
