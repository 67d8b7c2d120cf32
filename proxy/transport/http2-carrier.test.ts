import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { FakeByteStream } from "../testing/fake-byte-stream.ts";
import { openHttp2Carrier } from "./http2-carrier.ts";

/** A carrier over a tunnel that does what the test says, and what came out of it. */
const over = (below = new FakeByteStream()) => {
  const told: string[] = [];
  let text = "";
  const carrier = openHttp2Carrier(below, {
    data: (chunk) => (text += Buffer.from(chunk).toString("latin1")),
    ended: () => told.push("ended"),
    writable: () => told.push("writable"),
    written: () => told.push("written"),
    closed: (reason) => told.push(`closed: ${reason}`),
  });
  return { below, carrier, told, text: () => text };
};

const bytes = (text: string): Uint8Array => Buffer.from(text);

test("what comes is told and given back to the window, but not before whoever carries it is there", async () => {
  const { below, text, told } = over();
  expect(below.reader).toBeUndefined();
  await turn();
  below.receive("abc");
  below.receive("def");
  below.reader?.end();
  expect([text(), below.consumedBytes, told]).toEqual(["abcdef", 6, ["ended"]]);
});

test("of who is paused nothing more is asked, until he goes on", async () => {
  const { below, text, carrier } = over();
  await turn();
  carrier.pause();
  below.receive("abc");
  expect([text(), below.consumedBytes]).toEqual(["abc", 0]);
  carrier.resume();
  expect(below.consumedBytes).toBe(3);
});

test("what is sent is sent at once, and who is not taken from is told to wait, and when to go on", async () => {
  const { below, carrier, told } = over();
  await turn();
  expect([carrier.write([bytes("a"), bytes("b")]), carrier.isFull]).toEqual([true, false]);
  below.reader?.writable();
  below.isWelcome = false;
  expect([carrier.write([bytes("c")]), carrier.isFull]).toEqual([false, true]);
  below.reader?.writable();
  expect([below.written, carrier.isFull, told]).toEqual(["abc", false, ["written", "written", "writable"]]);
});

test("our direction ends once, and theirs goes on", async () => {
  const { below, carrier, text, told } = over();
  await turn();
  carrier.end();
  carrier.end();
  below.receive("still");
  expect([below.hasEnded, text(), told]).toEqual([true, "still", []]);
});

test("to let go of it ends it in order, gives back what is owed, and nothing is told or sent afterwards", async () => {
  const { below, carrier, told } = over();
  await turn();
  carrier.pause();
  below.receive("abc");
  carrier.destroy();
  carrier.destroy();
  carrier.write([bytes("late")]);
  expect([below.hasEnded, below.closes, below.resets, below.consumedBytes, below.written]).toEqual([true, 1, 0, 3, ""]);
  expect(told).toEqual(["written"]);
});

test("what is let go of before it was begun is not begun", async () => {
  const { below, carrier } = over();
  carrier.destroy();
  await turn();
  expect([below.reader, below.closes]).toEqual([undefined, 1]);
});

test.each([
  ["reset by the peer", "closed: reset by the peer"],
  [undefined, "ended"],
])("a tunnel that is over because of %s is told as %s, and what was owed is given back", async (problem, what) => {
  const { below, carrier, told } = over();
  await turn();
  carrier.pause();
  below.receive("abc");
  below.reader?.closed(problem);
  expect([told, below.consumedBytes]).toEqual([[what], 3]);
  carrier.end();
  carrier.destroy();
  expect([below.hasEnded, below.closes]).toEqual([false, 0]);
});

test("a tunnel that was gone before is told to be closed", async () => {
  const below = new FakeByteStream();
  below.isGone = true;
  const { told } = over(below);
  expect(told).toEqual([]);
  await turn();
  expect(told).toEqual(["closed: the connection was lost"]);
});

test("whatever comes at whatever pace, every byte is given back once", async () => {
  const step = fc.oneof(fc.integer({ min: 1, max: 40_000 }), fc.constantFrom("pause" as const, "resume" as const));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { below, carrier, text } = over();
      await turn();
      let sent = "";
      for (const each of steps) {
        if (typeof each === "string") carrier[each]();
        else {
          const next = String(sent.length % 10).repeat(each);
          sent += next;
          below.receive(next);
        }
        expect(below.consumedBytes).toBeLessThanOrEqual(sent.length);
      }
      carrier.resume();
      expect(text() === sent).toBe(true);
      expect(below.consumedBytes).toBe(sent.length);
    }),
    { numRuns: 100 },
  );
});

test("what is sent on a tunnel leaves when whoever sends is done, on a socket when all that was readable was read", async () => {
  const order: string[] = [];
  const handler = { data: vi.fn(), ended: vi.fn(), writable: vi.fn(), written: vi.fn(), closed: vi.fn() };
  openHttp2Carrier(new PassThrough(), handler).soon(() => order.push("socket"));
  over().carrier.soon(() => order.push("tunnel"));
  order.push("sender");
  await turn();
  expect(order).toEqual(["sender", "tunnel", "socket"]);
});
