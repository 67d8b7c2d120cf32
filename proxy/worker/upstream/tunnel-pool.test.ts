import { expect, test, vi } from "vitest";
import { FakeByteStream } from "../../testing/fake-byte-stream.ts";
import type { ByteStream } from "../../tunnel/byte-stream.ts";
import { type TunnelConnection, TunnelError, type TunnelRequest } from "../../tunnel/tunnel.ts";
import { type DialTunnel, type PoolKey, TunnelPool } from "./tunnel-pool.ts";

const KEY: PoolKey = {
  credentialGeneration: 1,
  destinationUid: "Kubernetes//Pod/shop/web-0",
  expectedIdentity: "spiffe://cluster.local/ns/shop/sa/web",
  address: "10.244.1.10",
};
const REQUEST: TunnelRequest = { authority: "10.244.1.10:80", headers: {} };

/** A tunnel connection at which tunnels stay open, or unanswered, until a test says otherwise. */
class FakeConnection implements TunnelConnection {
  readonly max: number;
  openTunnels = 0;
  isDraining = false;
  destroyed: string | undefined;
  lost: () => void = () => undefined;
  /** What {@link open} answers; tunnels that are open by default. */
  answer: () => Promise<ByteStream> = () => Promise.resolve(new FakeByteStream());

  constructor(max = 100) {
    this.max = max;
  }

  get room(): number {
    return this.isDraining ? 0 : this.max - this.openTunnels;
  }

  open(_request: TunnelRequest): Promise<ByteStream> {
    this.openTunnels++;
    return this.answer();
  }

  drain(): void {
    this.isDraining = true;
  }

  destroy(reason: string): void {
    this.isDraining = true;
    this.destroyed = reason;
    this.lost();
  }
}

/** A pool whose connections are made when the test says so. */
const poolOf = (max = 100) => {
  const time = { now: 0 };
  const pool = new TunnelPool(() => time.now);
  const made: FakeConnection[] = [];
  const dials: { readonly done: () => FakeConnection; readonly fail: (error: Error) => void }[] = [];
  const dial = vi.fn<DialTunnel>((onClosed) => {
    const { promise, resolve, reject } = Promise.withResolvers<TunnelConnection>();
    const done = (): FakeConnection => {
      const connection = new FakeConnection(max);
      connection.lost = onClosed;
      made.push(connection);
      resolve(connection);
      return connection;
    };
    dials.push({ done, fail: reject });
    return promise;
  });
  const open = (changes: Partial<PoolKey> = {}): Promise<ByteStream> =>
    pool.open({ ...KEY, ...changes }, REQUEST, dial);
  /** One connection that is made at once, with a tunnel in it. */
  const opened = async (changes: Partial<PoolKey> = {}): Promise<FakeConnection> => {
    const opening = open(changes);
    const connection = dials.at(-1)?.done() ?? new FakeConnection();
    await opening;
    return connection;
  };
  return { pool, time, made, dials, dial, open, opened };
};

const settled = async (): Promise<void> => {
  await new Promise(setImmediate);
};

test("callers that come while a connection is being made wait for it, and share it", async () => {
  const { open, dials, made, dial } = poolOf();
  const opening = [open(), open(), open()];
  await settled();
  dials[0]?.done();
  await Promise.all(opening);
  expect([dial.mock.calls.length, made[0]?.openTunnels]).toEqual([1, 3]);
});

test("a later caller takes the connection that is there", async () => {
  const { open, opened, dial } = poolOf();
  const connection = await opened();
  await open();
  expect([dial.mock.calls.length, connection.openTunnels]).toEqual([1, 2]);
});

test("no connection gets more tunnels than it has room for, and they are made one after the other", async () => {
  const { open, dials, made, dial } = poolOf();
  const opening = Array.from({ length: 250 }, () => open());
  for (let turn = 0; turn < 3; turn++) {
    await settled();
    expect(dial).toHaveBeenCalledTimes(turn + 1);
    dials[turn]?.done();
  }
  await Promise.all(opening);
  expect(made.map(({ openTunnels }) => openTunnels)).toEqual([100, 100, 50]);
});

test("the place of a tunnel that is over is taken again", async () => {
  const { open, opened, dial } = poolOf(1);
  const connection = await opened();
  connection.openTunnels = 0;
  await open();
  expect(dial).toHaveBeenCalledTimes(1);
});

test.each<[string, Partial<PoolKey>]>([
  ["made with other credentials", { credentialGeneration: 2 }],
  ["to another pod", { destinationUid: "Kubernetes//Pod/shop/web-1" }],
  ["to somebody else", { expectedIdentity: "spiffe://cluster.local/ns/shop/sa/other" }],
  ["to another address", { address: "10.244.1.11" }],
])("a connection %s is not shared", async (_, changes) => {
  const { opened, made } = poolOf();
  await opened();
  await opened(changes);
  expect(made.map(({ openTunnels }) => openTunnels)).toEqual([1, 1]);
});

test("a connection that cannot be made fails everybody who waits for it, once each; the next caller tries anew", async () => {
  const { open, opened, dials, dial } = poolOf();
  const opening = [open(), open(), open()];
  const problem = new Error("refused");
  dials[0]?.fail(problem);
  const outcomes = await Promise.allSettled(opening);
  expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason)).toEqual([
    problem,
    problem,
    problem,
  ]);
  expect(dial).toHaveBeenCalledTimes(1);
  expect((await opened()).openTunnels).toBe(1);
});

test("a connection that cannot be made does not hold up callers with another key", async () => {
  const { open, opened, dials } = poolOf();
  const failing = open();
  const connection = await opened({ address: "10.244.1.11" });
  dials[0]?.fail(new Error("refused"));
  await expect(failing).rejects.toThrow("refused");
  expect(connection.openTunnels).toBe(1);
});

test("an end that takes no tunnels at all is a failure, not a reason to dial for ever", async () => {
  const { open, dials, dial } = poolOf(0);
  const opening = [open(), open()];
  const connection = dials[0]?.done();
  for (const each of opening) await expect(each).rejects.toMatchObject({ name: "TunnelError", kind: "broken" });
  expect([dial.mock.calls.length, connection?.isDraining]).toEqual([1, true]);
});

test("a tunnel that is refused leaves the connection to the others", async () => {
  const { open, opened, dial } = poolOf();
  const connection = await opened();
  connection.answer = () => Promise.reject(new TunnelError("refused", "no", 503));
  await expect(open()).rejects.toMatchObject({ kind: "refused", status: 503 });
  connection.answer = new FakeConnection().answer;
  await open();
  expect(dial).toHaveBeenCalledTimes(1);
});

test("after a connection was lost the next caller makes another", async () => {
  const { pool, opened, made, dial } = poolOf();
  const lost = await opened();
  lost.lost();
  await opened();
  expect([dial.mock.calls.length, made[1]?.openTunnels, lost.openTunnels]).toEqual([2, 1, 1]);
  pool.close();
  expect(made.map(({ destroyed }) => destroyed)).toEqual([undefined, "the pod is gone"]);
});

test("a connection that is lost while others wait for the next one takes nothing away from them", async () => {
  const { open, opened, dials, made, dial } = poolOf(1);
  const first = await opened();
  const waiting = open();
  first.lost();
  const later = open();
  await settled();
  expect(dial).toHaveBeenCalledTimes(2);
  dials[1]?.done();
  await waiting;
  await settled();
  dials[2]?.done();
  await later;
  expect(made.map(({ openTunnels }) => openTunnels)).toEqual([1, 1, 1]);
});

test("a connection that is lost in the moment it is made fails those who wait, and is forgotten", async () => {
  const { open, opened, dials, pool } = poolOf();
  const opening = [open(), open()];
  const lost = dials[0]?.done();
  lost?.lost();
  for (const each of opening) await expect(each).rejects.toMatchObject({ kind: "broken" });
  const next = await opened();
  pool.close();
  expect([lost?.destroyed, next.destroyed]).toEqual([undefined, "the pod is gone"]);
});

test("connections made with older credentials are drained, also those with open tunnels; others are left alone", async () => {
  const { pool, opened } = poolOf();
  const [old, current] = [await opened(), await opened({ credentialGeneration: 2 })];
  pool.retire(2);
  expect([old.isDraining, current.isDraining]).toEqual([true, false]);
  expect(old.destroyed).toBeUndefined();
});

test("a connection that is being made when credentials change serves those who wait for it, and is drained then", async () => {
  const { pool, open, dials } = poolOf();
  const opening = [open(), open()];
  pool.retire(2);
  const connection = dials[0]?.done();
  await Promise.all(opening);
  expect([connection?.openTunnels, connection?.isDraining]).toEqual([2, true]);
});

test("a tunnel that is being opened when credentials change is opened", async () => {
  const { pool, open, opened } = poolOf();
  const connection = await opened();
  const { promise, resolve } = Promise.withResolvers<ByteStream>();
  connection.answer = () => promise;
  const opening = open();
  pool.retire(2);
  const stream = await new FakeConnection().answer();
  resolve(stream);
  expect(await opening).toBe(stream);
});

test("those who wait for more room than one connection has when credentials change get it all the same", async () => {
  const { pool, open, dials, made } = poolOf(1);
  const opening = [open(), open()];
  pool.retire(2);
  dials[0]?.done();
  await settled();
  dials[1]?.done();
  await Promise.all(opening);
  expect(made.map(({ openTunnels, isDraining }) => [openTunnels, isDraining])).toEqual([
    [1, true],
    [1, true],
  ]);
});

test("a connection without tunnels is drained when it was idle for long enough", async () => {
  const { pool, time, opened } = poolOf();
  const connection = await opened();
  connection.openTunnels = 0;
  pool.sweep(1_000);
  time.now = 999;
  pool.sweep(1_000);
  expect(connection.isDraining).toBe(false);
  time.now = 1_000;
  pool.sweep(1_000);
  expect(connection.isDraining).toBe(true);
});

test("a connection with a tunnel is never idle", async () => {
  const { pool, time, opened } = poolOf();
  const connection = await opened();
  for (time.now = 0; time.now < 10_000; time.now += 500) pool.sweep(1_000);
  expect(connection.isDraining).toBe(false);
});

test("a connection that is used between two looks counts from anew", async () => {
  const { pool, time, open, opened } = poolOf();
  const connection = await opened();
  connection.openTunnels = 0;
  pool.sweep(1_000);
  time.now = 900;
  await open();
  connection.openTunnels = 0;
  time.now = 1_800;
  pool.sweep(1_000);
  expect(connection.isDraining).toBe(false);
});

test("with the pod all of its connections go, also those that were retired and those that are being made", async () => {
  const { pool, open, opened, dials, dial } = poolOf();
  const retired = await opened();
  const current = await opened({ credentialGeneration: 2 });
  pool.retire(2);
  const waiting = open({ credentialGeneration: 2, address: "10.244.1.11" });
  pool.close();
  const late = dials[2]?.done();
  await expect(waiting).rejects.toThrow("the pod is gone");
  for (const connection of [retired, current, late]) expect(connection?.destroyed).toBe("the pod is gone");
  await expect(open()).rejects.toThrow("the pod is gone");
  expect(dial).toHaveBeenCalledTimes(3);
});
