import { expect, test, vi } from "vitest";
import type { HttpClientHandler } from "../../http/message.ts";
import { FakeConnection } from "../../testing/fake-http.ts";
import { HttpPool } from "./http-pool.ts";

/** A pool, and the connections that were made for it, with what can be told of them. */
const pooling = () => {
  let now = 0;
  const pool = new HttpPool(() => now);
  const made: { readonly connection: FakeConnection; readonly handler: HttpClientHandler }[] = [];
  const dial =
    (version: "1.1" | "2", before: (handler: HttpClientHandler) => void = () => undefined) =>
    (handler: HttpClientHandler) => {
      const connection = new FakeConnection(version);
      made.push({ connection, handler });
      before(handler);
      return Promise.resolve(connection);
    };
  return { pool, made, dial, pass: (ms: number) => void (now += ms) };
};

test("of connections in HTTP/1 the last that became free is taken first, and none twice before it is free again", async () => {
  const { pool, made, dial } = pooling();
  const [first, second] = [await pool.open("a", false, dial("1.1")), await pool.open("a", false, dial("1.1"))];
  expect(pool.find("a")).toBeUndefined();
  for (const { handler } of made) handler.idle();
  expect(pool.find("b")).toBeUndefined();
  expect([pool.find("a"), pool.find("a"), pool.find("a")]).toEqual([second, first, undefined]);
  made[0]?.handler.idle();
  expect(pool.find("a")).toBe(first);
});

test("callers in HTTP/2 wait for the connection that is being made; one without room is no help to those who waited", async () => {
  const { pool, made, dial } = pooling();
  const both = await Promise.all([pool.open("a", true, dial("2")), pool.open("a", true, dial("2"))]);
  expect([made.length, both[0] === both[1]]).toEqual([1, true]);
  const full = (handler: HttpClientHandler): void => {
    handler.leaving();
    (made.at(-1) as { connection: FakeConnection }).connection.room = 0;
  };
  const others = await Promise.all([pool.open("b", true, dial("2", full)), pool.open("b", true, dial("2"))]);
  expect([made.length, others[0] === others[1]]).toEqual([3, false]);
});

test("a connection that takes no more is not found, and neither is one that is gone", async () => {
  const { pool, made, dial } = pooling();
  await pool.open("a", false, dial("1.1"));
  made[0]?.handler.idle();
  made[0]?.handler.leaving();
  expect([pool.find("a"), pool.size]).toEqual([undefined, 1]);
  made[0]?.handler.closed("gone");
  expect(pool.size).toBe(0);
});

test("a connection whose carrier takes no more by the time that it is open serves who waits for it, and then ends", async () => {
  const { pool, made, dial } = pooling();
  const connection = await pool.open(
    "a",
    false,
    dial("1.1", (handler) => handler.leaving()),
  );
  expect([connection.room, made[0]?.connection.isDrained, pool.find("a")]).toEqual([1, false, undefined]);
  made[0]?.handler.idle();
  expect(made[0]?.connection.isDrained).toBe(true);
});

test("while the pool drains whoever still comes has a connection of its own, which ends after it", async () => {
  const { pool, made, dial } = pooling();
  await pool.open("a", false, dial("1.1"));
  pool.drain();
  expect(made[0]?.connection.isDrained).toBe(true);
  const late = await pool.open("a", false, dial("1.1"));
  expect([late.room, made[1]?.connection.isDrained]).toEqual([1, false]);
  const reader = {
    data: vi.fn(),
    end: vi.fn(),
    writable: vi.fn(),
    reset: vi.fn(),
    informational: vi.fn(),
    head: vi.fn(),
  };
  late.request({} as never, { remove: new Set(), add: [] }, reader);
  made[1]?.handler.idle();
  expect(made[1]?.connection.isDrained).toBe(false);
  made[1]?.connection.last.reset(8);
  made[1]?.handler.idle();
  expect(made[1]?.connection.isDrained).toBe(true);
});

test("what has carried nothing for a while is let go of, and what is at something is not", async () => {
  const { pool, made, dial, pass } = pooling();
  await pool.open("a", true, dial("2"));
  pool.sweep(100);
  pass(99);
  pool.sweep(100);
  expect(made[0]?.connection.isDrained).toBe(false);
  pass(1);
  pool.sweep(100);
  expect(made[0]?.connection.isDrained).toBe(true);
});

test("with the pod all of them are gone at once", async () => {
  const { pool, made, dial } = pooling();
  await pool.open("a", false, dial("1.1"));
  pool.close();
  expect(made[0]?.connection.destroyed).toBe("the pod is gone");
});

test("beyond 1,000 another takes the place of the oldest that carries nothing", async () => {
  const { pool, made, dial } = pooling();
  const names = ["data", "end", "writable", "reset", "informational", "head"];
  const reader = Object.fromEntries(names.map((name) => [name, vi.fn()]));
  const busy = await pool.open("busy", false, dial("1.1"));
  busy.request({} as never, { remove: new Set(), add: [] }, reader as never);
  for (let count = 1; count < 1_000; count++) await pool.open(`other ${count}`, false, dial("1.1"));
  const drained = () => made.flatMap(({ connection }, index) => (connection.isDrained ? [index] : []));
  expect(drained()).toEqual([]);
  await pool.open("last", false, dial("1.1"));
  expect(drained()).toEqual([1]);
});

test("what is being made when the pod is gone goes with it", async () => {
  const { pool, made, dial } = pooling();
  const making = Promise.withResolvers<void>();
  const late = pool.open("a", false, async (handler) => {
    await making.promise;
    return dial("1.1")(handler);
  });
  pool.close();
  making.resolve();
  await late;
  expect(made[0]?.connection.destroyed).toBe("the pod is gone");
});
