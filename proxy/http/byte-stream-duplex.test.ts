import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { FakeByteStream } from "../testing/fake-byte-stream.ts";
import { asDuplex, ByteStreamDuplex } from "./byte-stream-duplex.ts";

/** A duplex over a stream that does what the test says, and what came out of it. */
const over = () => {
  const below = new FakeByteStream();
  const duplex = new ByteStreamDuplex(below);
  const [onEnd, onClose, onError] = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<(error: Error) => void>()];
  duplex.on("end", onEnd).on("close", onClose).on("error", onError);
  let text = "";
  const read = (): void => void duplex.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
  return { below, duplex, onEnd, onClose, onError, read, text: () => text };
};

test("what comes is read, and accounted for when it was", async () => {
  const { below, text, read, onEnd, duplex } = over();
  read();
  below.receive("abc");
  below.receive("def");
  below.reader?.end();
  await once(duplex, "end");
  expect([text(), below.consumedBytes, onEnd.mock.calls.length]).toEqual(["abcdef", 6, 1]);
});

test("bytes are lent: what is read later is what came", async () => {
  const { below, text, read } = over();
  const lent = Buffer.from("abc");
  below.reader?.data(lent);
  lent.fill("x");
  read();
  await turn();
  expect(text()).toBe("abc");
});

test("who does not read holds the other end back: about 64 KiB are taken, the rest when it reads", async () => {
  const { below, read, text } = over();
  const block = "x".repeat(16 * 1024);
  for (let sent = 0; sent < 16; sent++) below.receive(block);
  await turn();
  expect(below.consumedBytes).toBeLessThanOrEqual(64 * 1024);
  read();
  await vi.waitFor(() => expect(below.consumedBytes).toBe(256 * 1024));
  expect(text().length).toBe(256 * 1024);
});

test("who is not taken from is told to wait, and when to go on", async () => {
  const { below, duplex } = over();
  below.isWelcome = false;
  expect(duplex.write(Buffer.alloc(100 * 1024))).toBe(false);
  duplex.write("after");
  await turn();
  expect(below.written.length).toBe(100 * 1024);
  const drained = once(duplex, "drain");
  below.isWelcome = true;
  below.reader?.writable();
  await drained;
  expect(below.written.endsWith("after")).toBe(true);
});

test("either direction ends by itself", async () => {
  const { below, duplex, read, onEnd, text } = over();
  read();
  duplex.end("last");
  await once(duplex, "finish");
  expect([below.written, below.hasEnded, onEnd.mock.calls.length]).toEqual(["last", true, 0]);
  below.receive("still");
  below.reader?.end();
  await once(duplex, "close");
  expect([text(), below.resets, below.closes]).toEqual(["still", 0, 0]);
});

test("to destroy it ends it in order, to abort it breaks it off; neither is told the stream twice", async () => {
  const [ended, aborted] = [over(), over()];
  ended.duplex.destroy();
  aborted.duplex.abort();
  aborted.duplex.abort();
  ended.duplex.abort();
  await turn();
  const of = ({ below }: ReturnType<typeof over>) => [below.hasEnded, below.closes, below.resets];
  expect([of(ended), of(aborted)]).toEqual([
    [true, 1, 0],
    [false, 0, 1],
  ]);
  expect([ended.onClose.mock.calls.length, aborted.onClose.mock.calls.length]).toEqual([1, 1]);
});

test("a stream that was broken off is an error, and who waits to write waits no more", async () => {
  const { below, duplex, onError, onEnd } = over();
  below.isWelcome = false;
  const written = vi.fn<(error?: Error | null) => void>();
  duplex.write("x", written);
  below.reader?.closed("reset by the peer");
  await turn();
  expect([onError.mock.calls[0]?.[0].message, onEnd.mock.calls.length]).toEqual(["reset by the peer", 0]);
  expect([duplex.destroyed, written.mock.calls.length, below.resets, below.closes]).toEqual([true, 1, 0, 0]);
});

test("a stream that is over when both have ended is an end, also where it is told at once", async () => {
  const { below, duplex, read, onError } = over();
  read();
  duplex.end();
  below.reader?.closed(undefined);
  await once(duplex, "close");
  expect(onError).not.toHaveBeenCalled();
});

test("whatever comes and is read in whatever pace, every byte comes once and is accounted for once", async () => {
  const step = fc.oneof(
    fc.record({ comes: fc.integer({ min: 1, max: 40_000 }) }),
    fc.constant("pause" as const),
    fc.constant("resume" as const),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { below, duplex, read, text } = over();
      read();
      let sent = "";
      for (const each of steps) {
        if (each === "pause") duplex.pause();
        else if (each === "resume") duplex.resume();
        else {
          const bytes = String(sent.length % 10).repeat(each.comes);
          sent += bytes;
          below.receive(bytes);
        }
        expect(below.consumedBytes).toBeLessThanOrEqual(sent.length);
        await turn();
      }
      duplex.resume();
      below.reader?.end();
      if (!duplex.readableEnded) await once(duplex, "end");
      expect(text() === sent).toBe(true);
      expect(below.consumedBytes).toBe(sent.length);
    }),
    { numRuns: 100 },
  );
});

test("a duplex is one already", () => {
  const { duplex } = over();
  expect(asDuplex(duplex)).toBe(duplex);
  expect(asDuplex(new FakeByteStream())).toBeInstanceOf(ByteStreamDuplex);
});
