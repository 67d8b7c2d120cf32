import { once } from "node:events";
import { PassThrough } from "node:stream";
import { expect, test, vi } from "vitest";
import { loopbackPair } from "../testing/loopback.ts";
import { readLent } from "./read-bytes.ts";

/** Everything that is read, as it came. */
const collected = () => {
  const pieces: Uint8Array[] = [];
  return {
    pieces,
    // What is lent is copied, as everybody does who keeps it.
    onBytes: (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)),
    text: () => Buffer.concat(pieces).toString(),
  };
};

test("what comes is read, piece by piece", async () => {
  const [near, far] = await loopbackPair();
  const { pieces, onBytes, text } = collected();
  readLent(near, onBytes);
  for (const word of ["first", "second", "third"]) {
    const before = pieces.length;
    far.write(word);
    await vi.waitFor(() => expect(pieces.length).toBeGreaterThan(before));
  }
  expect(text()).toBe("firstsecondthird");
});

test("a socket is read without memory of its own for each read", async () => {
  const [near, far] = await loopbackPair();
  const { pieces, onBytes } = collected();
  readLent(near, onBytes);
  far.write(Buffer.alloc(5_000));
  await vi.waitFor(() => expect(pieces.reduce((sum, { length }) => sum + length, 0)).toBe(5_000));
  // What Node.js reads by itself is pushed into the stream, and comes with an event of its own.
  const pushed = vi.fn<() => void>();
  near.on("data", pushed);
  far.write("more");
  await vi.waitFor(() => expect(pieces.at(-1)?.length).toBe(4));
  expect(pushed).not.toHaveBeenCalled();
});

test("what was read before anybody asked comes first", async () => {
  const [near, far] = await loopbackPair();
  far.write("early ");
  near.read(0);
  await vi.waitFor(() => expect(near.readableLength).toBe(6));
  const { onBytes, text } = collected();
  readLent(near, onBytes);
  far.write("late");
  await vi.waitFor(() => expect(text()).toBe("early late"));
});

test("a socket that is paused is not read, and goes on where it stopped", async () => {
  const [near, far] = await loopbackPair();
  let bytes = 0;
  readLent(near, ({ length }) => {
    bytes += length;
    near.pause();
  });
  far.end(Buffer.alloc(1024 * 1024));
  await vi.waitFor(() => expect(near.isPaused()).toBe(true));
  const atPause = bytes;
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  expect(bytes).toBe(atPause);
  const resuming = setInterval(() => near.resume(), 1);
  await once(near, "end");
  clearInterval(resuming);
  expect(bytes).toBe(1024 * 1024);
});

test("the end and an error come as they always do", async () => {
  const [[ended, end], [broken, breaker]] = [await loopbackPair(), await loopbackPair()];
  for (const socket of [ended, broken]) readLent(socket, () => undefined);
  const [onEnd, onError] = [once(ended, "end"), once(broken, "error")];
  end.end();
  breaker.resetAndDestroy();
  await onEnd;
  expect(await onError).toMatchObject([{ code: "ECONNRESET" }]);
});

test("a stream that is no socket is read as it is", async () => {
  const stream = new PassThrough();
  const { onBytes, text } = collected();
  readLent(stream, onBytes);
  stream.end("bytes");
  await once(stream, "end");
  expect(text()).toBe("bytes");
});

test("a socket's first read brings little, so that whoever cannot hand it on holds little, and those after it more and more", async () => {
  const [near, far] = await loopbackPair();
  far.write(Buffer.alloc(200_000));
  const { pieces, onBytes } = collected();
  readLent(near, onBytes);
  await vi.waitFor(() => expect(pieces.reduce((sum, { length }) => sum + length, 0)).toBe(200_000));
  const lengths = pieces.map(({ length }) => length);
  expect(lengths[0]).toBe(1024);
  expect(Math.max(...lengths)).toBeGreaterThan(16 * 1024);
});
