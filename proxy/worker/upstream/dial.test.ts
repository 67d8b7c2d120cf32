import { once } from "node:events";
import { expect, test, vi } from "vitest";
import { ip } from "#mesh/testing/examples.ts";
import { loopbackServer } from "../../testing/loopback.ts";
import { fileOf, someDescriptor } from "../../testing/open-descriptors.ts";
import { silentPort } from "../../testing/listening-sockets.ts";
import { outboundSocket } from "../../testing/outbound-sockets.ts";
import { type Dial, dial } from "./dial.ts";

const LOOPBACK = ip("127.0.0.1");

const how = (port: number, changes: Partial<Dial> = {}): Dial => ({
  target: { address: LOOPBACK, port },
  timeoutMs: 10_000,
  signal: new AbortController().signal,
  allowHalfOpen: true,
  ...changes,
});

/** A descriptor, and whether it has been closed since: another file may have its number then. */
const watched = () => {
  const descriptor = outboundSocket();
  const file = fileOf(descriptor);
  return { descriptor, isClosed: () => fileOf(descriptor) !== file };
};

/** A port of loopback that nobody listens at. */
const closedPort = async (): Promise<number> => {
  const { port, server } = await loopbackServer();
  server.close();
  await once(server, "close");
  return port;
};

test("a connection comes from the address that it was told to come from, and from another where nothing is said", async () => {
  const { port, accepted } = await loopbackServer();
  const sockets = [
    await dial(outboundSocket(), how(port, { from: ip("127.0.0.9") })),
    await dial(outboundSocket(), how(port)),
  ];
  await vi.waitFor(() => expect(accepted).toHaveLength(2));
  expect(accepted.map(({ remoteAddress }) => remoteAddress)).toEqual(["127.0.0.9", "127.0.0.1"]);
  for (const socket of sockets) socket.destroy();
});

test("a connection comes from the port that it was told to come from", async () => {
  const { port, accepted } = await loopbackServer();
  const freePort = await closedPort();
  const socket = await dial(outboundSocket(), how(port, { fromPort: freePort }));
  await vi.waitFor(() => expect(accepted).toHaveLength(1));
  expect(accepted[0]?.remotePort).toBe(freePort);
  socket.destroy();
});

test("a connected socket reads nothing until somebody wants it", async () => {
  const { port, accepted } = await loopbackServer((socket) => socket.write("early"));
  const socket = await dial(outboundSocket(), how(port));
  await vi.waitFor(() => expect(accepted[0]?.bytesWritten).toBe(5));
  const exchange = await dial(outboundSocket(), how(port));
  exchange.resume();
  await once(exchange, "data");
  expect(socket.bytesRead).toBe(0);
  socket.resume();
  expect(String(await once(socket, "data"))).toBe("early");
  for (const each of [socket, exchange]) each.destroy();
});

test.each([
  [true, "leaves the other open where bytes of an application are carried"],
  [false, "is the end of the other where tunnels are"],
])("with allowHalfOpen %s the end of one direction %s", async (allowHalfOpen) => {
  const { port, accepted } = await loopbackServer();
  const socket = await dial(outboundSocket(), how(port, { allowHalfOpen }));
  await vi.waitFor(() => expect(accepted).toHaveLength(1));
  socket.resume();
  const ended = once(socket, "end");
  accepted[0]?.end();
  await ended;
  await new Promise(setImmediate);
  expect(socket.writable).toBe(allowHalfOpen);
  socket.destroy();
});

test("a refused connection says so, with whom it was to reach, and its socket is closed", async () => {
  const port = await closedPort();
  const { descriptor, isClosed } = watched();
  const dialling = dial(descriptor, how(port));
  await expect(dialling).rejects.toMatchObject({ name: "DialError", errno: "ECONNREFUSED" });
  await expect(dialling).rejects.toThrow(`127.0.0.1:${port}: `);
  await vi.waitFor(() => expect(isClosed()).toBe(true));
});

test("nobody who answers is a timeout, and the socket is closed", async () => {
  const { port } = await silentPort();
  const { descriptor, isClosed } = watched();
  const dialling = dial(descriptor, how(port, { timeoutMs: 20 }));
  await expect(dialling).rejects.toMatchObject({ errno: "ETIMEDOUT", message: /no answer within 20 ms/ });
  await vi.waitFor(() => expect(isClosed()).toBe(true));
});

test("dialling ends when whoever it is for is gone, and the socket is closed", async () => {
  const { port } = await silentPort();
  const { descriptor, isClosed } = watched();
  const asked = new AbortController();
  const dialling = dial(descriptor, how(port, { signal: asked.signal }));
  asked.abort();
  await expect(dialling).rejects.toMatchObject({ errno: "ECANCELED" });
  await vi.waitFor(() => expect(isClosed()).toBe(true));
});

test("nothing is dialled for somebody who is gone already", async () => {
  const { port, server } = await loopbackServer();
  const called = vi.fn<() => void>();
  server.on("connection", called);
  const { descriptor, isClosed } = watched();
  const dialling = dial(descriptor, how(port, { signal: AbortSignal.abort() }));
  await expect(dialling).rejects.toMatchObject({ errno: "ECANCELED" });
  await vi.waitFor(() => expect(isClosed()).toBe(true));
  // The queue of the listener is in order: an earlier connection would be seen by now.
  const later = await dial(outboundSocket(), how(port));
  await vi.waitFor(() => expect(called).toHaveBeenCalledTimes(1));
  later.destroy();
});

test("who gives up, or waits no longer, after it is connected does not end it", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const { port } = await loopbackServer((socket) => socket.pipe(socket));
    const asked = new AbortController();
    const socket = await dial(outboundSocket(), how(port, { signal: asked.signal, timeoutMs: 100 }));
    asked.abort();
    vi.advanceTimersByTime(1_000);
    socket.resume();
    socket.write("still here");
    expect(String(await once(socket, "data"))).toBe("still here");
    socket.destroy();
  } finally {
    vi.useRealTimers();
  }
});

test("a connection that breaks before somebody listens to it breaks nothing else", async () => {
  const { port, accepted } = await loopbackServer();
  const socket = await dial(outboundSocket(), how(port));
  await vi.waitFor(() => expect(accepted).toHaveLength(1));
  accepted[0]?.resetAndDestroy();
  socket.resume();
  await vi.waitFor(() => expect(socket.destroyed).toBe(true));
  expect(socket.errored).toMatchObject({ code: "ECONNRESET" });
});

test("a descriptor of something else is closed, and is a failure like others", async () => {
  const descriptor = someDescriptor();
  const file = fileOf(descriptor);
  await expect(dial(descriptor, how(1))).rejects.toMatchObject({ name: "DialError", errno: "EBADF" });
  expect(fileOf(descriptor)).not.toBe(file);
});
