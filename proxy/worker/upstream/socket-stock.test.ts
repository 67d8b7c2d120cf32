import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fileOf, openDescriptors, someDescriptor } from "../../testing/open-descriptors.ts";
import { SocketStock } from "./socket-stock.ts";

/** How soon the supervisor is asked again, and how long a dial waits for it. */
const ASK_AGAIN_MS = 100;
const WAIT_MS = 5_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const descriptors = (count: number): number[] => Array.from({ length: count }, () => someDescriptor());

/** A stock, what it asked for, and a supervisor that gives what it is told to. */
const stock = () => {
  const asked: number[] = [];
  const made = new SocketStock((count) => asked.push(count));
  return { stock: made, asked, give: (count: number) => made.add(descriptors(count)) };
};

/** The same, filled with as many as it asked for, and what it then holds. */
const filledStock = async () => {
  const { stock: filled, asked, give } = stock();
  const taking = filled.take();
  give(asked.splice(0)[0] ?? 0);
  await taking;
  return { stock: filled, asked, give, size: 8 };
};

/** Whether a promise is settled, and how. */
const outcome = (promise: Promise<unknown>): { settled?: "resolved" | Error } => {
  const seen: { settled?: "resolved" | Error } = {};
  promise.then(
    () => (seen.settled = "resolved"),
    (error: Error) => (seen.settled = error),
  );
  return seen;
};

test("nothing is asked for before somebody dials; then for the dial and a small stock", async () => {
  const { stock: empty, asked, give } = stock();
  expect(asked).toEqual([]);
  const taking = empty.take();
  expect(asked).toEqual([9]);
  give(9);
  expect(fileOf(await taking)).toBeDefined();
});

test("a socket that is there is had at once, and more are asked for in batches, when half are left", async () => {
  const { stock: filled, asked, size } = await filledStock();
  for (let left = size - 1; left > size / 2; left--) {
    await filled.take();
    expect(asked).toEqual([]);
  }
  await filled.take();
  expect(asked).toEqual([size / 2]);
});

test("a stock that runs dry is doubled, up to a limit", () => {
  const { stock: dry, asked, give } = stock();
  const goals = Array.from({ length: 7 }, () => {
    const before = asked.length;
    void dry.take();
    const wanted = asked.slice(before).reduce((sum, count) => sum + count, 0);
    // The dial's own, and nothing for the stock: it is dry again.
    give(1);
    vi.advanceTimersByTime(ASK_AGAIN_MS);
    return wanted;
  });
  expect(goals[0]).toBe(9);
  // By then it asks for what it still expects, too: the most that is ever on the way is the largest stock and one dial.
  expect(Math.max(...goals)).toBeLessThanOrEqual(65);
  const burst = stock();
  for (let dials = 0; dials < 100; dials++) outcome(burst.stock.take());
  expect(burst.asked.reduce((sum, count) => sum + count, 0)).toBe(100 + 64);
});

test("dials that wait get their sockets in the order in which they came, each its own", async () => {
  const { stock: dry, give } = stock();
  const order: number[] = [];
  const taking = [0, 1, 2].map(async (dial) => {
    const socket = await dry.take();
    order.push(dial);
    return socket;
  });
  give(1);
  await vi.waitFor(() => expect(order).toEqual([0]));
  give(2);
  expect(new Set(await Promise.all(taking)).size).toBe(3);
  expect(order).toEqual([0, 1, 2]);
});

test("fewer than were asked for serve whom they can; for the others it is asked again", async () => {
  const { stock: dry, asked, give } = stock();
  const [first, second] = [outcome(dry.take()), outcome(dry.take())];
  give(1);
  await vi.advanceTimersByTimeAsync(0);
  expect([first.settled, second.settled]).toEqual(["resolved", undefined]);
  asked.length = 0;
  await vi.advanceTimersByTimeAsync(ASK_AGAIN_MS - 1);
  expect(asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(asked).toEqual([17]);
  give(17);
  await vi.advanceTimersByTimeAsync(0);
  expect(second.settled).toBe("resolved");
});

test("what was never granted is not counted on for ever: the next dial that finds nothing gets a socket all the same", async () => {
  const { stock: busy, asked, give } = stock();
  for (let dials = 0; dials < 100; dials++) void busy.take();
  // Everybody is served, and of the stock nothing comes.
  give(100);
  for (let round = 0; round < 20; round++) {
    const late = outcome(busy.take());
    asked.length = 0;
    await vi.advanceTimersByTimeAsync(ASK_AGAIN_MS);
    expect(asked.at(-1)).toBeGreaterThan(0);
    give(1);
    await vi.advanceTimersByTimeAsync(0);
    expect(late.settled).toBe("resolved");
  }
});

test("what was not granted is forgotten also while nobody waits: the next dial asks at once", async () => {
  const { stock: busy, asked, give } = stock();
  for (let dials = 0; dials < 100; dials++) void busy.take();
  give(100);
  asked.length = 0;
  await vi.advanceTimersByTimeAsync(10 * ASK_AGAIN_MS);
  expect(asked).toEqual([]);
  outcome(busy.take());
  expect(asked).toEqual([65]);
});

test("nothing is left to do when everything that was asked for has come, or the pod is gone", async () => {
  const { stock: filled, give } = await filledStock();
  expect(vi.getTimerCount()).toBe(0);
  for (let taken = 0; taken < 4; taken++) await filled.take();
  expect(vi.getTimerCount()).toBe(1);
  give(4);
  expect(vi.getTimerCount()).toBe(0);
  for (let taken = 0; taken < 4; taken++) await filled.take();
  filled.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("a supervisor that gives nothing is asked every 100 ms, until the dial gives up; then no more", async () => {
  const { stock: dry, asked } = stock();
  const taking = outcome(dry.take());
  await vi.advanceTimersByTimeAsync(WAIT_MS - 1);
  expect(taking.settled).toBeUndefined();
  expect(asked).toHaveLength(1 + (WAIT_MS - ASK_AGAIN_MS) / ASK_AGAIN_MS);
  await vi.advanceTimersByTimeAsync(1);
  expect(taking.settled).toMatchObject({ name: "NoSocketError", message: /sent no socket within 5000 ms/ });
  const before = asked.length;
  await vi.advanceTimersByTimeAsync(10 * WAIT_MS);
  expect(asked).toHaveLength(before);
});

test("a socket that comes after a dial has given up is the next one's", async () => {
  const { stock: dry, give } = stock();
  outcome(dry.take());
  await vi.advanceTimersByTimeAsync(WAIT_MS);
  give(1);
  const taking = outcome(dry.take());
  await vi.advanceTimersByTimeAsync(0);
  expect(taking.settled).toBe("resolved");
});

test("what was asked for twice and came twice is kept up to the limit, and the rest is closed", async () => {
  const { stock: dry, give } = stock();
  const before = openDescriptors();
  give(100);
  expect(openDescriptors() - before).toBe(64);
  dry.close();
  expect(openDescriptors()).toBe(before);
});

test("more dials than any honest pod makes are refused", async () => {
  const { stock: dry } = stock();
  for (let dials = 0; dials < 10_000; dials++) outcome(dry.take());
  await expect(dry.take()).rejects.toThrow(/10000 dials of the pod wait for a socket/);
  dry.close();
});

test("with the pod its stock goes, whoever waits is told, and what still comes is closed", async () => {
  const before = openDescriptors();
  const { stock: filled, asked, give, size } = await filledStock();
  for (let taken = 0; taken < size; taken++) await filled.take();
  const waiting = outcome(filled.take());
  const handedOut = openDescriptors();
  give(0);
  filled.close();
  await vi.advanceTimersByTimeAsync(0);
  expect(waiting.settled).toMatchObject({ name: "NoSocketError", message: /the pod is gone/ });
  give(3);
  expect(openDescriptors()).toBe(handedOut);
  await expect(filled.take()).rejects.toThrow(/the pod is gone/);
  asked.length = 0;
  await vi.advanceTimersByTimeAsync(WAIT_MS);
  expect(asked).toEqual([]);
  expect(handedOut).toBeGreaterThan(before);
});
