import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { setResetOnClose } from "../../kernel/reset-on-close.ts";
import { FakeByteStream } from "../../testing/fake-byte-stream.ts";
import { loopbackPair } from "../../testing/loopback.ts";
import { LAST_END_MS, splice, type SpliceEnd, type SpliceEvents } from "./splice.ts";
import { tcpByteStream } from "./tcp-byte-stream.ts";

const IDLE_MS = 60_000;

afterEach(() => void vi.useRealTimers());

const watching = () => {
  const ends: SpliceEnd[] = [];
  const sent = { request: 0, response: 0 };
  const events: SpliceEvents = {
    sent: (direction, bytes) => void (sent[direction] += bytes),
    ended: (end) => void ends.push(end),
  };
  return { ends, sent, events };
};

/** A client and an application, each with a connection of its own to the proxy between them. */
const proxied = async (idleTimeoutMs = IDLE_MS) => {
  const [client, fromClient] = await loopbackPair();
  const [toApplication, application] = await loopbackPair();
  for (const socket of [fromClient, toApplication]) socket.pause();
  for (const socket of [client, application]) socket.on("error", () => undefined);
  const { ends, sent, events } = watching();
  const { stop, drain } = splice(tcpByteStream(fromClient), tcpByteStream(toApplication), idleTimeoutMs, events);
  return { client, application, fromClient, toApplication, ends, sent, stop, drain };
};

/** Everything that somebody sends, until it ends. */
const textOf = async (socket: Socket): Promise<string> => {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, "end");
  return text;
};

/** How a socket's connection ended for its owner. */
const endOf = (socket: Socket): Promise<"end" | "reset"> => {
  socket.resume();
  return new Promise((resolve) => {
    socket.once("end", () => resolve("end"));
    socket.once("error", () => resolve("reset"));
  });
};

test("bytes go both ways, and are counted when they are handed on", async () => {
  const { client, application, sent } = await proxied();
  client.write("request");
  expect(String(await once(application, "data"))).toBe("request");
  application.write("the answer");
  expect(String(await once(client, "data"))).toBe("the answer");
  expect(sent).toEqual({ request: 7, response: 10 });
});

test.each(["client", "application"] as const)(
  "each direction ends by itself, and both are the end: the %s's first",
  async (first) => {
    const { client, application, ends } = await proxied();
    const [here, there] = first === "client" ? [client, application] : [application, client];
    here.end("all of it");
    expect(await textOf(there)).toBe("all of it");
    expect(ends).toEqual([]);
    there.write("and the answer is ");
    await once(here, "data");
    const rest = textOf(here);
    there.end("longer");
    expect(await rest).toBe("longer");
    await vi.waitFor(() => expect(ends).toEqual([{ kind: "finished" }]));
  },
);

test("both sides see an orderly end when both directions have ended", async () => {
  const { client, application, fromClient, toApplication } = await proxied();
  const endings = [endOf(client), endOf(application)];
  client.end();
  application.end();
  expect(await Promise.all(endings)).toEqual(["end", "end"]);
  await vi.waitFor(() => expect([fromClient.destroyed, toApplication.destroyed]).toEqual([true, true]));
});

test.each([
  ["client", "client"],
  ["application", "server"],
] as const)("a reset by the %s reaches the other side as a reset", async (first, by) => {
  const { client, application, ends, toApplication, fromClient } = await proxied();
  const [here, there] = first === "client" ? [client, application] : [application, client];
  const seen = endOf(there);
  here.resetAndDestroy();
  expect(await seen).toBe("reset");
  await vi.waitFor(() => expect(ends).toEqual([{ kind: "reset", by, reason: "ECONNRESET" }]));
  expect([fromClient.destroyed, toApplication.destroyed]).toEqual([true, true]);
});

test.each([
  ["client", "client"],
  ["application", "server"],
] as const)("a reset after the %s's own direction has ended is a reset all the same", async (first, by) => {
  const { client, application, ends } = await proxied();
  const [here, there] = first === "client" ? [client, application] : [application, client];
  there.resume();
  const ended = once(there, "end");
  here.end("all of it");
  await ended;
  setResetOnClose(here, true);
  here.destroy();
  // Who has read an end reads no more: only writing shows what came after it.
  const writing = setInterval(() => there.write("more"), 1);
  await vi.waitFor(() => expect(ends).toMatchObject([{ kind: "reset", by }]));
  await vi.waitFor(() => expect(there.destroyed).toBe(true));
  clearInterval(writing);
});

test("a reader that does not read stops the writer, and nothing is lost when it reads again", async () => {
  const { client, application, fromClient, toApplication, ends } = await proxied();
  const chunk = Buffer.alloc(64 * 1024, "x");
  let written = 0;
  const fill = (): void => {
    do written += chunk.length;
    while (client.write(chunk) && written < 256 * 1024 * 1024);
    client.once("drain", fill);
  };
  fill();
  await vi.waitFor(() => expect([fromClient.isPaused(), toApplication.writableNeedDrain]).toEqual([true, true]));
  // One chunk beyond what the stream holds: the reader's buffer is the chunk, and the writer's limit.
  expect(toApplication.writableLength).toBeLessThanOrEqual(toApplication.writableHighWaterMark + 64 * 1024);
  client.removeAllListeners("drain");
  let received = 0;
  application.on("data", (bytes: Buffer) => (received += bytes.length));
  client.end();
  await once(application, "end");
  expect(received).toBe(written);
  application.end();
  await vi.waitFor(() => expect(ends).toEqual([{ kind: "finished" }]));
});

test("one direction that waits for its reader does not hold up the other", async () => {
  const { client, application, fromClient } = await proxied();
  const chunk = Buffer.alloc(1024 * 1024);
  const fill = (): void => {
    while (client.write(chunk));
    client.once("drain", fill);
  };
  fill();
  await vi.waitFor(() => expect(fromClient.isPaused()).toBe(true));
  client.removeAllListeners("drain");
  application.write("answer");
  expect(String(await once(client, "data"))).toBe("answer");
});

test("a reader that is broken off while a writer waits for it breaks off the writer", async () => {
  const { client, application, fromClient, ends } = await proxied();
  const chunk = Buffer.alloc(1024 * 1024);
  const fill = (): void => {
    while (client.write(chunk));
    client.once("drain", fill);
  };
  fill();
  await vi.waitFor(() => expect(fromClient.isPaused()).toBe(true));
  const seen = new Promise((resolve) => {
    client.once("error", resolve);
  });
  application.resetAndDestroy();
  await seen;
  await vi.waitFor(() => expect(ends).toMatchObject([{ kind: "reset", by: "server" }]));
});

test("whoever stops it resets both sides, and it ends once", async () => {
  const { client, application, ends, stop } = await proxied();
  const endings = [endOf(client), endOf(application)];
  stop();
  expect(await Promise.all(endings)).toEqual(["reset", "reset"]);
  stop();
  await new Promise(setImmediate);
  expect(ends).toEqual([{ kind: "stopped" }]);
});

test("stopping what has ended does nothing", async () => {
  const { client, application, ends, stop } = await proxied();
  client.end();
  application.end();
  client.resume();
  application.resume();
  await vi.waitFor(() => expect(ends).toHaveLength(1));
  stop();
  expect(ends).toEqual([{ kind: "finished" }]);
});

const faked = async (idleTimeoutMs = IDLE_MS) => {
  const [client, server] = [new FakeByteStream(), new FakeByteStream()];
  const { ends, sent, events } = watching();
  const { stop, drain } = splice(client, server, idleTimeoutMs, events);
  await Promise.resolve();
  return { client, server, ends, sent, stop, drain };
};

test.each(["client", "server"] as const)(
  "a %s that is broken off breaks off the other, with the reason",
  async (name) => {
    const { client, server, ends } = await faked();
    (name === "client" ? client : server).reader?.closed("ECONNRESET");
    expect(ends).toEqual([{ kind: "reset", by: name, reason: "ECONNRESET" }]);
    expect([client.resets, server.resets]).toEqual([1, 1]);
  },
);

test("an end is passed on, and only when both are closed it is over", async () => {
  const { client, server, ends } = await faked();
  client.reader?.end();
  expect([client.hasEnded, server.hasEnded]).toEqual([false, true]);
  server.reader?.end();
  expect(client.hasEnded).toBe(true);
  client.reader?.closed(undefined);
  expect(ends).toEqual([]);
  server.reader?.closed(undefined);
  expect(ends).toEqual([{ kind: "finished" }]);
  expect([client.resets, server.resets]).toEqual([0, 0]);
});

test("a stream that is broken off after the other has closed in order is a reset", async () => {
  const { client, server, ends } = await faked();
  client.reader?.closed(undefined);
  server.reader?.closed("ECONNRESET");
  expect(ends).toEqual([{ kind: "reset", by: "server", reason: "ECONNRESET" }]);
});

test.each(["client", "server"] as const)(
  "what the target of a %s queues is consumed when that takes more",
  async (name) => {
    const { client, server } = await faked();
    const [from, to] = name === "client" ? [client, server] : [server, client];
    from.receive("taken at once");
    expect(from.consumedBytes).toBe(13);
    to.isWelcome = false;
    from.receive("queued");
    from.receive(" as well");
    expect([to.written, from.consumedBytes]).toEqual(["taken at oncequeued as well", 13]);
    from.reader?.writable();
    expect(from.consumedBytes).toBe(13);
    to.reader?.writable();
    expect(from.consumedBytes).toBe(27);
    to.reader?.writable();
    expect(from.consumedBytes).toBe(27);
  },
);

test.each(["client", "server"] as const)(
  "a %s that was gone before it began is a reset, told after the call",
  async (name) => {
    const [client, server] = [new FakeByteStream(), new FakeByteStream()];
    (name === "client" ? client : server).isGone = true;
    const { ends, events } = watching();
    splice(client, server, IDLE_MS, events);
    expect(ends).toEqual([]);
    await Promise.resolve();
    expect(ends).toEqual([{ kind: "reset", by: name, reason: "gone before it began" }]);
    expect([client.resets, server.resets]).toEqual([1, 1]);
    expect([client.reader, server.reader]).toEqual([undefined, undefined]);
  },
);

test("where it is stopped before it began, nothing is read", async () => {
  const [client, server] = [new FakeByteStream(), new FakeByteStream()];
  const { ends, events } = watching();
  const { stop } = splice(client, server, IDLE_MS, events);
  stop();
  await Promise.resolve();
  expect(ends).toEqual([{ kind: "stopped" }]);
  expect([client.reader, server.reader]).toEqual([undefined, undefined]);
});

test("a stream that is over as soon as it is read is an end, told after the call", async () => {
  const [client, server] = [new FakeByteStream(), new FakeByteStream()];
  client.read = (reader) => reader.closed("lost");
  const { ends, events } = watching();
  splice(client, server, IDLE_MS, events);
  expect(ends).toEqual([]);
  await Promise.resolve();
  expect(ends).toEqual([{ kind: "reset", by: "client", reason: "lost" }]);
  expect(server.reader).toBeUndefined();
});

test("both sides that break off at once are one end", async () => {
  const { client, server, ends } = await faked();
  client.reader?.closed("first");
  server.reader?.closed("second");
  expect(ends).toEqual([{ kind: "reset", by: "client", reason: "first" }]);
});

test("nothing that moves in either direction for too long is an end, and both are reset", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const { client, server, ends } = await faked(1_000);
  vi.advanceTimersByTime(999);
  expect(ends).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ends).toEqual([{ kind: "idle" }]);
  expect([client.resets, server.resets]).toEqual([1, 1]);
});

test.each(["client", "server"] as const)("bytes of the %s put off the end of an idle connection", async (name) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const { client, server, ends } = await faked(1_000);
  for (let round = 0; round < 5; round++) {
    vi.advanceTimersByTime(900);
    (name === "client" ? client : server).receive("x");
  }
  expect(ends).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(ends).toEqual([{ kind: "idle" }]);
});

test("a connection that has ended leaves no timer behind", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const { stop } = await faked(1_000);
  expect(vi.getTimerCount()).toBe(1);
  stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("what a slow reader had not taken yet when the sender ended is consumed in the end: windows of others depend on it", async () => {
  const [toApplication, application] = await loopbackPair();
  const client = new FakeByteStream();
  const { ends, events } = watching();
  splice(client, tcpByteStream(toApplication), IDLE_MS, events);
  await vi.waitFor(() => expect(client.reader).toBeDefined());
  let sent = 0;
  for (const piece = "x".repeat(100_000); client.consumedBytes === sent; sent += piece.length) client.receive(piece);
  client.reader?.end();
  expect(client.consumedBytes).toBeLessThan(sent);
  application.resume();
  application.end();
  await vi.waitFor(() => expect(client.consumedBytes).toBe(sent), { timeout: 30_000 });
  client.reader?.closed(undefined);
  await vi.waitFor(() => expect(ends).toEqual([{ kind: "finished" }]));
});

test("an exchange that is drained hands on what came, then both sides see an end and not a reset", async () => {
  const { client, application, ends, drain } = await proxied();
  client.write("before");
  expect(String(await once(application, "data"))).toBe("before");
  const endings = [endOf(client), endOf(application)];
  drain();
  expect(await Promise.all(endings)).toEqual(["end", "end"]);
  for (const socket of [client, application]) socket.end();
  await vi.waitFor(() => expect(ends).toEqual([{ kind: "drained" }]));
});

test("what comes after the end has no reader, and is in nobody's way", async () => {
  const { client, server, ends, drain } = await faked();
  drain();
  expect([client.hasEnded, server.hasEnded]).toEqual([true, true]);
  client.receive("too late");
  expect([server.written, client.consumedBytes]).toEqual(["", 8]);
  client.reader?.closed(undefined);
  server.reader?.closed("ECONNRESET");
  expect(ends).toEqual([{ kind: "drained" }]);
  expect([client.resets, server.resets, client.closes, server.closes]).toEqual([0, 0, 0, 0]);
});

test("a side that does not end in turn is let go of, and not reset", async () => {
  vi.useFakeTimers();
  const { client, server, ends, drain } = await faked();
  drain();
  drain();
  server.reader?.closed(undefined);
  vi.advanceTimersByTime(LAST_END_MS - 1);
  expect(ends).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ends).toEqual([{ kind: "drained" }]);
  expect([client.closes, server.closes, client.resets, server.resets]).toEqual([1, 0, 0, 0]);
});
