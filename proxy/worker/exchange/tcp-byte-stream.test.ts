import { once } from "node:events";
import type { Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { getSocketOption } from "../../kernel/socket-options.ts";
import { socketDescriptor } from "../../kernel/socket-descriptor.ts";
import { loopbackPair } from "../../testing/loopback.ts";
import { Reading } from "../../testing/reading.ts";
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
  const stream = tcpByteStream(near);
  expect(resetsOnClose(near)).toBe(true);
  stream.write(Buffer.from("some of it"));
  await once(far, "data");
  expect(resetsOnClose(near)).toBe(true);
  stream.write(Buffer.from("the rest"));
  stream.end();
  await once(near, "finish");
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
  const stream = tcpByteStream(near);
  stream.write(Buffer.from("everything"));
  stream.end();
  expect(String(await once(far, "data"))).toBe("everything");
  await once(far, "end");
  const reading = new Reading(stream);
  far.end();
  await once(far, "close");
  expect(await reading.untilClosed()).toBeUndefined();
  expect(failed).not.toHaveBeenCalled();
});

test("a reset is one also after our own direction has ended", async () => {
  const [near, far] = await loopbackPair();
  far.resume();
  const stream = tcpByteStream(near);
  stream.write(Buffer.from("everything"));
  stream.end();
  await once(far, "end");
  stream.reset();
  await once(near, "close");
  // Who has read the end reads no more, and learns of the reset by writing. After an orderly end the first write goes out.
  const failed = once(far, "error");
  far.write("more");
  expect(await failed).toMatchObject([{ code: expect.stringMatching(/^(?:EPIPE|ECONNRESET)$/) }]);
});

test("it is over with a problem when the other side has reset it, and without one when both have ended", async () => {
  const [ended, end] = await loopbackPair();
  const [broken, breaker] = await loopbackPair();
  const orderly = tcpByteStream(ended);
  const readings = [new Reading(orderly), new Reading(tcpByteStream(broken))];
  end.end();
  await once(ended, "end");
  orderly.end();
  breaker.resetAndDestroy();
  expect(await Promise.all(readings.map((reading) => reading.untilClosed()))).toEqual([undefined, "ECONNRESET"]);
  expect(readings.map(({ hasEnded }) => hasEnded)).toEqual([true, false]);
});

test("a connection that is destroyed behind its back was not ended", async () => {
  const [near, far] = await loopbackPair();
  const reading = new Reading(tcpByteStream(near));
  far.resume();
  near.destroy();
  expect(await reading.untilClosed()).toBe("closed without an end");
});

test("what is not consumed stops the reading, and consuming it lets it go on", async () => {
  const [near, far] = await loopbackPair();
  const stream = tcpByteStream(near);
  const reading = new Reading(stream, false);
  const total = 8 * 1024 * 1024;
  far.end(Buffer.alloc(total));
  await vi.waitFor(() => expect(near.isPaused()).toBe(true));
  expect(reading.bytes).toBeLessThan(256 * 1024);
  const consuming = setInterval(() => stream.consumed(reading.bytes - consumed), 1);
  let consumed = 0;
  const consume = stream.consumed.bind(stream);
  stream.consumed = (bytes) => {
    consumed += bytes;
    consume(bytes);
  };
  await reading.untilEnd();
  clearInterval(consuming);
  expect(reading.bytes).toBe(total);
});

test("who was told to stop writing is told when to go on", async () => {
  const [near, far] = await loopbackPair();
  far.pause();
  const stream = tcpByteStream(near);
  const reading = new Reading(stream);
  while (stream.write(Buffer.alloc(1024 * 1024)));
  expect(reading.timesWritable).toBe(0);
  far.resume();
  await vi.waitFor(() => expect(reading.timesWritable).toBe(1));
});

test("nothing is told after a reset of ours", async () => {
  const [near, far] = await loopbackPair();
  far.resume();
  const stream = tcpByteStream(near);
  const reading = new Reading(stream);
  stream.reset();
  await once(near, "close");
  expect([reading.timesClosed, stream.isGone]).toEqual([0, true]);
});

test("resetting what is closed already does nothing", async () => {
  const [near] = await loopbackPair();
  const stream = tcpByteStream(near);
  stream.reset();
  await once(near, "close");
  expect(() => stream.reset()).not.toThrow();
});
