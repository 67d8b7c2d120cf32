import { once } from "node:events";
import type { Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { getSocketOption } from "../../kernel/socket-options.ts";
import { socketDescriptor } from "../../kernel/socket-descriptor.ts";
import { loopbackPair } from "../../testing/loopback.ts";
import { tcpByteStream } from "./tcp-byte-stream.ts";

const SO_LINGER = { level: 1, number: 13, name: "SO_LINGER" };

/** What the kernel does when the process dies: struct linger, on and for 0 seconds, is a reset (socket(7)). */
const resetsOnClose = (socket: Socket): boolean => {
  const linger = getSocketOption(socketDescriptor(socket), SO_LINGER, 8);
  return typeof linger !== "string" && Buffer.from(linger).equals(Buffer.of(1, 0, 0, 0, 0, 0, 0, 0));
};

test("a connection is reset if the process dies, until everything was handed over and ended", async () => {
  const [near, far] = await loopbackPair();
  far.resume();
  expect(resetsOnClose(near)).toBe(false);
  const { duplex } = tcpByteStream(near);
  expect(resetsOnClose(near)).toBe(true);
  duplex.write("some of it");
  await once(far, "data");
  expect(resetsOnClose(near)).toBe(true);
  duplex.end("the rest");
  await once(duplex, "finish");
  expect(resetsOnClose(near)).toBe(false);
});

test("destroying it before its end is a reset for the other side", async () => {
  const [near, far] = await loopbackPair();
  far.resume();
  const failed = once(far, "error");
  tcpByteStream(near);
  near.write("half");
  near.destroy();
  expect(await failed).toMatchObject([{ code: "ECONNRESET" }]);
});

test("an ended direction is an end for the other side, and so is closing after it", async () => {
  const [near, far] = await loopbackPair();
  const failed = vi.fn<() => void>();
  far.on("error", failed);
  const { duplex } = tcpByteStream(near);
  duplex.end("everything");
  expect(String(await once(far, "data"))).toBe("everything");
  await once(far, "end");
  near.resume();
  far.end();
  await once(far, "close");
  expect(failed).not.toHaveBeenCalled();
});

test("a reset is one also after our own direction has ended", async () => {
  const [near, far] = await loopbackPair();
  far.resume();
  const stream = tcpByteStream(near);
  stream.duplex.end("everything");
  await once(far, "end");
  stream.reset();
  await once(near, "close");
  // Who has read the end reads no more, and learns of the reset by writing. After an orderly end the first write goes out.
  const failed = once(far, "error");
  far.write("more");
  expect(await failed).toMatchObject([{ code: expect.stringMatching(/^(?:EPIPE|ECONNRESET)$/) }]);
});

test("it is broken when the other side has reset it, and not when it has ended", async () => {
  const [ended, end] = await loopbackPair();
  const [broken, breaker] = await loopbackPair();
  const streams = [tcpByteStream(ended), tcpByteStream(broken)];
  for (const socket of [ended, broken]) socket.resume();
  end.end();
  await once(ended, "end");
  ended.end();
  await once(ended, "close");
  const closed = new Promise((resolve) => {
    broken.once("close", resolve);
  });
  breaker.resetAndDestroy();
  await closed;
  expect(streams.map(({ isBroken }) => isBroken)).toEqual([false, true]);
});

test("resetting what is closed already does nothing", async () => {
  const [near] = await loopbackPair();
  const stream = tcpByteStream(near);
  stream.reset();
  await once(near, "close");
  expect(() => stream.reset()).not.toThrow();
});
