import { once } from "node:events";
import * as fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { FakeByteStream } from "../../testing/fake-byte-stream.ts";
import { loopbackPair } from "../../testing/loopback.ts";
import { Reading } from "../../testing/reading.ts";
import { EndedStream, PeekedStream, SocketPeek } from "./first-bytes.ts";
import { tcpByteStream } from "./tcp-byte-stream.ts";

/** Looks until there are so many bytes, or the end. @returns what was seen, and whether it had ended */
const lookFor = (count: number) => {
  const { promise, resolve } = Promise.withResolvers<readonly [string, boolean]>();
  const onBytes = vi.fn((bytes: Uint8Array, hasEnded: boolean): boolean => {
    const isEnough = bytes.length >= count || hasEnded;
    if (isEnough) resolve([Buffer.from(bytes).toString(), hasEnded]);
    return isEnough;
  });
  return { promise, onBytes };
};

describe("a socket", () => {
  test.each([
    ["in one piece", ["abcdef"], 3],
    ["in several", ["a", "b", "c", "def"], 3],
    ["of which just enough has come", ["abc"], 3],
  ])("whose first bytes come %s is read as if nobody had looked", async (_, pieces, count) => {
    const [near, far] = await loopbackPair();
    near.pause();
    const client = tcpByteStream(near);
    const { promise, onBytes } = lookFor(count);
    const peek = new SocketPeek(near, onBytes);
    for (const piece of pieces) {
      far.write(piece);
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    }
    const [seen, hasEnded] = await promise;
    expect([seen.slice(0, count), hasEnded]).toEqual(["abc", false]);
    const told = onBytes.mock.calls.length;
    const reading = new Reading(client);
    far.end("ghi");
    expect(await reading.untilEnd()).toBe(`${pieces.join("")}ghi`);
    peek.stop();
    expect(onBytes.mock.calls.length).toBe(told);
  });

  test("that ends before there is enough says so with all that came", async () => {
    const [near, far] = await loopbackPair();
    near.pause();
    const { promise, onBytes } = lookFor(10);
    const peek = new SocketPeek(near, onBytes);
    far.end("abc");
    expect(await promise).toEqual(["abc", true]);
    peek.stop();
  });

  test("that is reset while somebody looks is told, and harms nobody", async () => {
    const [near, far] = await loopbackPair();
    near.pause();
    const client = tcpByteStream(near);
    const { promise, onBytes } = lookFor(10);
    const peek = new SocketPeek(near, onBytes);
    far.resetAndDestroy();
    expect(await promise).toEqual(["", true]);
    peek.stop();
    expect(client.isGone).toBe(true);
  });

  test("at which nobody looks any more before anything came is read from its beginning", async () => {
    const [near, far] = await loopbackPair();
    near.pause();
    const client = tcpByteStream(near);
    const peek = new SocketPeek(near, () => false);
    peek.stop();
    const reading = new Reading(client);
    far.end("abc");
    expect(await reading.untilEnd()).toBe("abc");
  });

  test("is not read further than its buffer while somebody has seen enough and nobody reads", async () => {
    const [near, far] = await loopbackPair();
    near.pause();
    const { promise, onBytes } = lookFor(1);
    const peek = new SocketPeek(near, onBytes);
    const block = Buffer.alloc(64 * 1024, "x");
    for (let sent = 0; sent < 256; sent++) far.write(block);
    await promise;
    peek.stop();
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    expect(near.readableLength).toBeLessThan(512 * 1024);
    let bytes = 0;
    near.on("data", (part: Buffer) => (bytes += part.length));
    near.resume();
    far.end();
    await once(near, "end");
    expect(bytes).toBe(256 * block.length);
  });
});

describe("a stream", () => {
  test("gives its first bytes again, and then what follows, however they are cut", () => {
    const pieces = fc.array(fc.string({ minLength: 1, maxLength: 5, unit: "grapheme-ascii" }), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, pieces, fc.nat({ max: 20 }), (first, then, count) => {
        const below = new FakeByteStream();
        const seen: string[] = [];
        const peeked = new PeekedStream(below, (bytes, hasEnded) => {
          seen.push(Buffer.from(bytes).toString("latin1"));
          return bytes.length >= count || hasEnded;
        });
        for (const piece of first) below.receive(piece);
        expect(below.consumedBytes).toBe(0);
        const reading = new Reading(peeked);
        for (const piece of then) below.receive(piece);
        below.reader?.end();
        expect([reading.text, reading.hasEnded]).toEqual([[...first, ...then].join(""), true]);
        expect(below.consumedBytes).toBe(reading.bytes);
        for (const text of seen) expect(first.join("").startsWith(text)).toBe(true);
      }),
    );
  });

  test.each<readonly [string, string | undefined]>([
    ["ended", undefined],
    ["been broken off", "reset by the peer"],
  ])("that has %s meanwhile is told to who reads it then", (_, problem) => {
    const below = new FakeByteStream();
    const onBytes = vi.fn(() => true);
    const peeked = new PeekedStream(below, onBytes);
    if (problem === undefined) below.reader?.end();
    below.reader?.closed(problem);
    expect(onBytes).toHaveBeenCalledWith(expect.anything(), true);
    const reading = new Reading(peeked);
    expect([reading.hasEnded, reading.timesClosed, reading.problem]).toEqual([problem === undefined, 1, problem]);
  });

  test("carries what is written, and its ends, to the stream below", () => {
    const below = new FakeByteStream();
    const peeked = new PeekedStream(below, () => false);
    below.isWelcome = false;
    const isWelcome = peeked.write(Buffer.from("x"));
    const reading = new Reading(peeked);
    below.reader?.writable();
    peeked.end();
    peeked.close();
    peeked.reset();
    expect([isWelcome, reading.timesWritable]).toEqual([false, 1]);
    expect([below.written, below.hasEnded, below.closes, below.resets]).toEqual(["x", true, 1, 1]);
  });
});

test("a socket whose end came after somebody had looked, and before it was read, has ended for its reader", async () => {
  const [near, far] = await loopbackPair();
  near.pause();
  const client = tcpByteStream(near);
  const peek = new SocketPeek(near, () => false);
  peek.stop();
  far.end();
  await vi.waitFor(() => expect(near.readableEnded).toBe(true));
  const reading = new Reading(client);
  await vi.waitFor(() => expect(reading.hasEnded).toBe(true));
});

test("of a stream that has ended with its first bytes these come, and the end, and nobody accounts for them twice", () => {
  const below = new FakeByteStream();
  const reading = new Reading(new EndedStream(below, Buffer.from("abc")));
  expect([reading.text, reading.hasEnded, below.consumedBytes]).toEqual(["abc", true, 0]);
});
