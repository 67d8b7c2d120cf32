import { expect, test, vi } from "vitest";
import { loopbackPair } from "../testing/loopback.ts";
import { Reading } from "../testing/reading.ts";
import { openTunnelConnection } from "./tunnel-client.ts";
import { serveTunnels } from "./tunnel-server.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { IncomingTunnel } from "./tunnel.ts";
import { TUNNEL_LIMITS, type TunnelLimits } from "./tunnel-limits.ts";

const LIMITS: TunnelLimits = { ...TUNNEL_LIMITS, maxTunnels: 3 };

/** Our own client and server, joined. */
const joined = async (limits: TunnelLimits = LIMITS, clientLimits = limits) => {
  const [near, far] = await loopbackPair(false);
  const tunnels: IncomingTunnel[] = [];
  const [clientClosed, serverClosed] = [vi.fn<() => void>(), vi.fn<() => void>()];
  const server = serveTunnels(far, limits, (tunnel) => tunnels.push(tunnel), serverClosed);
  const client = await openTunnelConnection(near, clientLimits, clientClosed);
  const nextTunnel = (at = 0): Promise<IncomingTunnel> =>
    vi.waitFor(() => tunnels[at] ?? Promise.reject(new Error("no tunnel yet")));
  return { near, far, client, server, tunnels, nextTunnel, clientClosed, serverClosed };
};

const REQUEST = { authority: "10.0.0.1:80", headers: { baggage: "a=b", traceparent: "t" } };

/** One tunnel through them, accepted. */
const tunnelled = async () => {
  const pair = await joined();
  const opening = pair.client.open(REQUEST);
  const incoming = await pair.nextTunnel();
  const serverEnd = incoming.accept({ baggage: "c=d" });
  const clientEnd = await opening;
  return { ...pair, incoming, serverEnd, clientEnd };
};

/** Says something, and that it was all. */
const endWith = (stream: ByteStream, text: string): void => {
  stream.write(Buffer.from(text));
  stream.end();
};

test("a request carries its authority and its headers, and the answer comes when it is accepted", async () => {
  const { client, nextTunnel } = await joined();
  const answered = vi.fn<() => void>();
  const opening = client.open(REQUEST).then(answered);
  const incoming = await nextTunnel();
  expect(incoming).toMatchObject({ method: "CONNECT", authority: "10.0.0.1:80", isGone: false });
  expect([incoming.header("baggage"), incoming.header("traceparent")]).toEqual(["a=b", "t"]);
  expect(incoming.header("forwarded")).toBeUndefined();
  expect(answered).not.toHaveBeenCalled();
  incoming.accept({});
  await opening;
});

test.each([400, 401, 503] as const)("a refusal with %i reaches the caller, and its tunnel is over", async (status) => {
  const { client, server, nextTunnel } = await joined();
  const opening = client.open(REQUEST);
  (await nextTunnel()).refuse(status);
  await expect(opening).rejects.toMatchObject({ kind: "refused", status });
  await vi.waitFor(() => expect([client.openTunnels, server.openTunnels]).toEqual([0, 0]));
});

test("the end of one direction is not the end of the other, whichever ends first", async () => {
  for (const first of ["client", "server"] as const) {
    const { clientEnd, serverEnd } = await tunnelled();
    const [here, there] = first === "client" ? [clientEnd, serverEnd] : [serverEnd, clientEnd];
    const [atThere, atHere] = [new Reading(there), new Reading(here)];
    endWith(here, "request");
    expect(await atThere.untilEnd()).toBe("request");
    expect([atThere.timesClosed, atHere.timesClosed, here.isGone, there.isGone]).toEqual([0, 0, false, false]);
    endWith(there, "answer");
    expect(await atHere.untilEnd()).toBe("answer");
    expect(await Promise.all([atThere.untilClosed(), atHere.untilClosed()])).toEqual([undefined, undefined]);
    expect([here.isGone, there.isGone]).toEqual([true, true]);
  }
});

test("what came before somebody read is kept for him: bytes, the end, and how it was over", async () => {
  const { clientEnd, serverEnd } = await tunnelled();
  endWith(clientEnd, "early");
  serverEnd.end();
  await vi.waitFor(() => expect([clientEnd.isGone, serverEnd.isGone]).toEqual([true, true]));
  const [atServer, atClient] = [new Reading(serverEnd), new Reading(clientEnd)];
  expect([atServer.text, atServer.hasEnded, atServer.timesClosed, atServer.problem]).toEqual([
    "early",
    true,
    1,
    undefined,
  ]);
  expect([atClient.text, atClient.hasEnded, atClient.timesClosed]).toEqual(["", true, 1]);
});

/** Everything that ends a tunnel without its streams having ended. */
const BREAKS: Readonly<Record<string, (tunnel: Awaited<ReturnType<typeof tunnelled>>) => void>> = {
  "is reset by the client": ({ clientEnd }) => clientEnd.reset(),
  "is reset by the server": ({ serverEnd }) => serverEnd.reset(),
  "is reset with data under way": ({ serverEnd }) => {
    serverEnd.write(Buffer.from("half of it"));
    serverEnd.reset();
  },
  "loses its connection to a reset": ({ near }) => void near.resetAndDestroy(),
  "loses its connection to an end": ({ far }) => void far.destroy(),
  "loses its connection to an end of the client's": ({ near }) => void near.destroy(),
  "is served by somebody who is destroyed": ({ server }) => server.destroy("over"),
  "is opened by somebody who is destroyed": ({ client }) => client.destroy("because"),
};

test.each(Object.entries(BREAKS))("a tunnel that %s never looks as if it had ended", async (_, breakOff) => {
  const tunnel = await tunnelled();
  const ends = [tunnel.clientEnd, tunnel.serverEnd];
  const readings = ends.map((end) => new Reading(end));
  breakOff(tunnel);
  await vi.waitFor(() => expect(ends.map(({ isGone }) => isGone)).toEqual([true, true]));
  expect(readings.map(({ hasEnded }) => hasEnded)).toEqual([false, false]);
  // Who resets it is told nothing more.
  const told = readings.filter(({ timesClosed }) => timesClosed > 0);
  expect(told.length).toBeGreaterThan(0);
  for (const { timesClosed, problem } of told) expect([timesClosed, typeof problem]).toEqual([1, "string"]);
});

test.each(Object.entries(BREAKS))("nor after its other direction had ended: a tunnel that %s", async (_, breakOff) => {
  const tunnel = await tunnelled();
  const [atClient, atServer] = [new Reading(tunnel.clientEnd), new Reading(tunnel.serverEnd)];
  endWith(tunnel.clientEnd, "all");
  expect(await atServer.untilEnd()).toBe("all");
  breakOff(tunnel);
  await vi.waitFor(() => expect(tunnel.clientEnd.isGone).toBe(true));
  expect(atClient.hasEnded).toBe(false);
  if (atClient.timesClosed > 0) expect(atClient.problem).toBeTypeOf("string");
});

test("a reader that does not read stops the writer, others go on, and nothing is lost when it reads again", async () => {
  const { client, nextTunnel, clientEnd, serverEnd } = await tunnelled();
  const [atClient, slow] = [new Reading(clientEnd), new Reading(serverEnd, false)];
  const chunk = Buffer.alloc(64 * 1024);
  let written = 0;
  const fill = (): void => {
    do written += chunk.length;
    while (clientEnd.write(chunk));
  };
  fill();
  await vi.waitFor(() => expect(slow.bytes).toBe(LIMITS.streamWindow));
  expect(written).toBeLessThanOrEqual(LIMITS.streamWindow + 3 * chunk.length);
  const opening = client.open({ authority: "10.0.0.1:81", headers: {} });
  const second = new Reading((await nextTunnel(1)).accept({}));
  endWith(await opening, "through");
  expect(await second.untilEnd()).toBe("through");
  expect([slow.bytes, atClient.timesWritable]).toEqual([LIMITS.streamWindow, 0]);
  serverEnd.consumed(slow.bytes);
  await vi.waitFor(() => expect(atClient.timesWritable).toBe(1));
  await vi.waitFor(() => expect(slow.bytes).toBe(written));
});

test("a connection has room for so many tunnels as were agreed, and again when one is over", async () => {
  const { client, nextTunnel } = await joined();
  const opened = [client.open(REQUEST), client.open(REQUEST)];
  expect([client.room, client.openTunnels]).toEqual([1, 2]);
  (await nextTunnel(0)).accept({});
  (await nextTunnel(1)).refuse(503);
  await expect(opened[1]).rejects.toThrow(/503/);
  await vi.waitFor(() => expect([client.room, client.openTunnels]).toEqual([2, 1]));
});

test("whoever drains its own connection opens nothing more in it, and it ends with its last tunnel", async () => {
  const { client, clientClosed, clientEnd, serverEnd } = await tunnelled();
  client.drain();
  expect(client.room).toBe(0);
  expect(clientClosed).not.toHaveBeenCalled();
  const reading = new Reading(clientEnd);
  endWith(serverEnd, "last");
  expect(await reading.untilEnd()).toBe("last");
  clientEnd.end();
  await vi.waitFor(() => expect(clientClosed).toHaveBeenCalledTimes(1));
});

test("an idle connection that is drained ends at once", async () => {
  const { client, clientClosed, serverClosed } = await joined();
  client.drain();
  await vi.waitFor(() => expect([clientClosed.mock.calls.length, serverClosed.mock.calls.length]).toEqual([1, 1]));
});

test("a server that drains says so: the caller opens nothing more, and what is open goes on to its end", async () => {
  const { client, server, clientClosed, serverClosed, clientEnd, serverEnd } = await tunnelled();
  server.drain();
  await vi.waitFor(() => expect(client.room).toBe(0));
  await expect(client.open(REQUEST)).rejects.toMatchObject({ kind: "broken" });
  const [atServer, atClient] = [new Reading(serverEnd), new Reading(clientEnd)];
  endWith(clientEnd, "still");
  expect(await atServer.untilEnd()).toBe("still");
  endWith(serverEnd, "here");
  expect(await atClient.untilEnd()).toBe("here");
  await vi.waitFor(() => expect([clientClosed.mock.calls.length, serverClosed.mock.calls.length]).toEqual([1, 1]));
});

test("a caller that gave up before it was answered is seen to be gone, and answering it does nothing", async () => {
  const { near, nextTunnel, client } = await joined();
  const opening = client.open(REQUEST);
  const [first] = [await nextTunnel()];
  near.destroy();
  await expect(opening).rejects.toMatchObject({ kind: "broken" });
  await vi.waitFor(() => expect(first.isGone).toBe(true));
  first.refuse(503);
  expect(first.accept({}).isGone).toBe(true);
});

test("a request that is not answered in time fails, and its place is free again", async () => {
  const { client, nextTunnel } = await joined();
  const timers = vi.spyOn(globalThis, "setTimeout");
  const opening = client.open(REQUEST);
  const [giveUp, afterMs] = timers.mock.calls[0] ?? [];
  timers.mockRestore();
  expect(afterMs).toBe(LIMITS.answerTimeoutMs);
  const incoming = await nextTunnel();
  giveUp?.();
  await expect(opening).rejects.toMatchObject({ kind: "unanswered", status: undefined });
  await vi.waitFor(() => expect([client.openTunnels, incoming.isGone]).toEqual([0, true]));
});

test("destroying a connection fails what waits in it", async () => {
  const { client, nextTunnel, clientClosed } = await joined();
  const opening = client.open(REQUEST);
  await nextTunnel();
  client.destroy("the pod is gone");
  await expect(opening).rejects.toThrow(/the pod is gone/);
  await vi.waitFor(() => expect(clientClosed).toHaveBeenCalledTimes(1));
  expect(client.room).toBe(0);
  await expect(client.open(REQUEST)).rejects.toMatchObject({ kind: "broken" });
});
