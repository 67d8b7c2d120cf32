import { once } from "node:events";
import type { Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
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

test("who ends after the other side has ended closes in order, and everything has been told", async () => {
  const [near, far] = await loopbackPair();
  const failed = vi.fn<() => void>();
  far.on("error", failed);
  const stream = tcpByteStream(near);
  const reading = new Reading(stream);
  far.end("question");
  await reading.untilEnd();
  stream.write(Buffer.from("answer"));
  stream.end();
  expect(String(await once(far, "data"))).toBe("answer");
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
  // The first read, of which nothing was handed on.
  expect(reading.bytes).toBe(1024);
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

/** A stream whose other side does not read, so that nothing more leaves; what was written to its socket from then on. */
const stuck = async () => {
  const [near, far] = await loopbackPair();
  far.pause();
  const stream = tcpByteStream(near);
  const reading = new Reading(stream);
  let filled = 0;
  for (; near.writableLength === 0; filled += FILLER_BYTES) stream.write(Buffer.alloc(FILLER_BYTES));
  const written = vi.spyOn(near, "write");
  /** What came after the filler, when all of it has. */
  const arrived = async (bytes: number): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    let length = 0;
    far.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
    });
    far.resume();
    await vi.waitFor(() => expect(length).toBe(filled + bytes), { timeout: 30_000 });
    return Buffer.concat(chunks).subarray(filled);
  };
  return { near, far, stream, reading, written, arrived };
};
/** Below what is gathered, and below the socket's mark, so that filling it is not what makes it say no. */
const FILLER_BYTES = 4 * 1024;

const numbered = (count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, index) => Uint8Array.of(index % 251));

test("single bytes for a side that does not read are joined, and arrive in order", async () => {
  const { stream, written, arrived } = await stuck();
  const bytes = numbered(200_000);
  for (const byte of bytes) stream.write(byte);
  expect(written.mock.calls.length).toBeLessThan(3);
  expect(await arrived(bytes.length)).toEqual(Buffer.concat(bytes));
  expect(written.mock.calls.length).toBeLessThan(50);
});

test("what waits counts: single bytes are refused at the socket's mark, and going on is told once, when there is room", async () => {
  const { near, far, stream, reading } = await stuck();
  const before = near.writableLength;
  let welcome = 0;
  while (stream.write(Buffer.of(1))) welcome++;
  expect(welcome).toBe(near.writableHighWaterMark - before - 1);
  for (const byte of numbered(1000)) expect(stream.write(byte)).toBe(false);
  expect(reading.timesWritable).toBe(0);
  far.resume();
  await vi.waitFor(() => expect(reading.timesWritable).toBe(1));
  expect(stream.write(Buffer.of(1))).toBe(true);
  await vi.waitFor(() => expect(near.writableLength).toBe(0));
  expect(reading.timesWritable).toBe(1);
});

test("who fills it again when told to go on is refused and told again", async () => {
  const { near, far, stream } = await stuck();
  let left = 300_000;
  const fill = (): void => {
    while (left > 0 && stream.write(Buffer.of(left-- % 251)));
  };
  vi.spyOn(Reading.prototype, "writable").mockImplementation(fill);
  onTestFinished(() => void vi.restoreAllMocks());
  fill();
  far.resume();
  await vi.waitFor(() => expect([left, near.writableLength]).toEqual([0, 0]), { timeout: 30_000 });
});

test.each([1, 16 * 1024])("what was written is the caller's again, also while it waits: %i bytes", async (length) => {
  const { stream, arrived } = await stuck();
  const lent = Buffer.alloc(length, 1);
  for (const value of [1, 2, 3]) {
    lent.fill(value);
    stream.write(lent);
  }
  lent.fill(9);
  expect(await arrived(3 * length)).toEqual(Buffer.concat([1, 2, 3].map((value) => Buffer.alloc(length, value))));
});

test("what waits leaves before the end", async () => {
  const { near, far, stream, arrived } = await stuck();
  const bytes = numbered(5_000);
  for (const byte of bytes) stream.write(byte);
  stream.end();
  expect(resetsOnClose(near)).toBe(true);
  const ended = once(far, "end");
  expect(await arrived(bytes.length)).toEqual(Buffer.concat(bytes));
  await ended;
});

test("what waits is dropped with a reset", async () => {
  const { near, far, stream, reading, written } = await stuck();
  while (stream.write(Buffer.of(1)));
  const calls = written.mock.calls.length;
  const broken = once(far, "error");
  stream.reset();
  await once(near, "close");
  far.resume();
  expect(await broken).toMatchObject([{ code: "ECONNRESET" }]);
  expect([written.mock.calls.length, reading.timesWritable]).toEqual([calls, 0]);
});

test("who was told to stop writing is told when all has left, also after the end", async () => {
  const { far, stream, reading } = await stuck();
  while (stream.write(Buffer.alloc(FILLER_BYTES)));
  stream.end();
  expect(reading.timesWritable).toBe(0);
  far.resume();
  await vi.waitFor(() => expect(reading.timesWritable).toBe(1));
});
