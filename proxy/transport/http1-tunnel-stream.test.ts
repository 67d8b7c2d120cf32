import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { FakeByteStream } from "../testing/fake-byte-stream.ts";
import type { ByteReader, ByteStream } from "../tunnel/byte-stream.ts";
import { BUFFERED_BYTES, type ByteStreamHandler } from "./http1-byte-stream.ts";
import { TunnelByteStream } from "./http1-tunnel-stream.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A stream over a tunnel. @param isWelcome what the tunnel says to each write */
const carried = async (isWelcome: () => boolean) => {
  let reader: ByteReader | undefined;
  const sent: number[] = [];
  const tunnel: ByteStream = {
    isGone: false,
    read: (its) => (reader = its),
    write: (bytes) => {
      sent.push(bytes.length);
      return isWelcome();
    },
    consumed: () => undefined,
    end: () => undefined,
    reset: () => undefined,
    close: () => undefined,
  };
  const handler = {
    data: vi.fn<ByteStreamHandler["data"]>(),
    ended: vi.fn<ByteStreamHandler["ended"]>(),
    writable: vi.fn<ByteStreamHandler["writable"]>(),
    blocked: vi.fn<ByteStreamHandler["blocked"]>(),
    gone: vi.fn<ByteStreamHandler["gone"]>(),
  };
  const stream = new TunnelByteStream(tunnel, handler);
  await turn();
  const bytesSent = (): number => sent.reduce((sum, length) => sum + length, 0);
  return { stream, handler, bytesSent, drain: () => reader?.writable() };
};

test("much that is written in one turn leaves whole, and nobody who may go on is told to wait", async () => {
  const { stream, handler, bytesSent } = await carried(() => true);
  for (const length of [100, BUFFERED_BYTES, 1]) stream.write(Buffer.alloc(length));
  const isFull = stream.isFull;
  await turn();
  expect(bytesSent()).toBe(BUFFERED_BYTES + 101);
  expect([stream.isFull, handler.blocked.mock.calls.length]).toEqual([false, 0]);
  // Who was told to wait is told to go on.
  expect(handler.writable.mock.calls.length).toBe(isFull ? 1 : 0);
});

test("a tunnel that takes no more blocks whoever writes until it does", async () => {
  const { stream, handler, drain } = await carried(() => false);
  stream.write(Buffer.alloc(10));
  await turn();
  expect([stream.isFull, stream.isBlocked, handler.blocked.mock.calls.length]).toEqual([true, true, 1]);
  expect(handler.writable).not.toHaveBeenCalled();
  drain();
  expect([stream.isFull, handler.writable.mock.calls.length]).toEqual([false, 1]);
});

test("whoever was never told to wait is not told to go on", async () => {
  const { stream, handler } = await carried(() => true);
  stream.write(Buffer.alloc(10));
  await turn();
  expect(handler.writable).not.toHaveBeenCalled();
});

/** What happens to one of several tunnels in the course of a turn. */
type Step = readonly [tunnel: number, what: "write" | "end" | "abort" | "destroy" | "turn"];

test("tunnels that are written to in one turn get each its own bytes, in order, whichever of them end or break off meanwhile", async () => {
  const step = fc.tuple(
    fc.nat(2),
    fc.constantFrom<Step[1]>("write", "write", "write", "end", "abort", "destroy", "turn"),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const handler: ByteStreamHandler = {
        data: () => undefined,
        ended: () => undefined,
        writable: () => undefined,
        blocked: () => undefined,
        gone: () => undefined,
      };
      const below = [new FakeByteStream(), new FakeByteStream(), new FakeByteStream()];
      const streams = below.map((tunnel) => new TunnelByteStream(tunnel, handler));
      const expected = ["", "", ""];
      const isOver = [false, false, false];
      await turn();
      for (const [index, [at, what]] of steps.entries()) {
        if (what === "turn") await turn();
        else if (what === "write") {
          const text = `${at}.${index} `;
          streams[at]?.write(Buffer.from(text));
          if (isOver[at] === false) expected[at] += text;
        } else {
          streams[at]?.[what]("over");
          isOver[at] = true;
        }
      }
      await turn();
      // What was broken off may lack its last words, and has nobody else's.
      for (const [at, { written }] of below.entries()) {
        expect(expected[at]?.startsWith(written)).toBe(true);
      }
      for (const [at, tunnel] of below.entries()) if (isOver[at] === false) expect(tunnel.written).toBe(expected[at]);
    }),
  );
});
