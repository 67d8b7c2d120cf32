import { once } from "node:events";
import { finished } from "node:stream/promises";
import { expect, test, vi } from "vitest";
import { loopbackPair } from "../testing/loopback.ts";
import { openTunnelConnection } from "./http2-client.ts";
import { serveTunnels } from "./http2-server.ts";
import { type ByteStream, type IncomingTunnel, TUNNEL_LIMITS, type TunnelLimits } from "./tunnel.ts";

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

const textOf = async ({ duplex }: ByteStream): Promise<string> => {
  let text = "";
  duplex.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(duplex, "end");
  return text;
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
    const [atThere, atHere] = [textOf(there), textOf(here)];
    here.duplex.end("request");
    expect(await atThere).toBe("request");
    expect([here.isBroken, there.isBroken]).toEqual([false, false]);
    there.duplex.end("answer");
    expect(await atHere).toBe("answer");
    await Promise.all([finished(here.duplex), finished(there.duplex)]);
    expect([here.isBroken, there.isBroken]).toEqual([false, false]);
  }
});

/** How one end came to its end, as whoever joins it to another stream sees it. */
const endOf = ({ duplex }: ByteStream): { readonly cleanEnds: boolean[]; readonly closed: Promise<unknown> } => {
  const cleanEnds: boolean[] = [];
  duplex.on("error", () => undefined);
  duplex.resume();
  return {
    cleanEnds,
    closed: new Promise((resolve) => {
      duplex.once("close", resolve);
    }),
  };
};

/** Everything that ends a tunnel without its streams having ended. */
const BREAKS: Readonly<Record<string, (tunnel: Awaited<ReturnType<typeof tunnelled>>) => void>> = {
  "is reset by the client": ({ clientEnd }) => clientEnd.reset(),
  "is reset by the server": ({ serverEnd }) => serverEnd.reset(),
  "is reset with data under way": ({ serverEnd }) => {
    serverEnd.duplex.write("half of it");
    serverEnd.reset();
  },
  "loses its connection to a reset": ({ near }) => void near.resetAndDestroy(),
  "loses its connection to an end": ({ far }) => void far.destroy(),
  "loses its connection to an end of the client's": ({ near }) => void near.destroy(),
  "is served by somebody who is destroyed": ({ server }) => server.destroy(),
  "is opened by somebody who is destroyed": ({ client }) => client.destroy("because"),
};

test.each(Object.entries(BREAKS))("a tunnel that %s never looks as if it had ended", async (_, breakOff) => {
  const tunnel = await tunnelled();
  const ends = [tunnel.clientEnd, tunnel.serverEnd];
  const endings = ends.map((end) => {
    const { cleanEnds, closed } = endOf(end);
    end.duplex.once("end", () => cleanEnds.push(!end.isBroken));
    return { cleanEnds, closed };
  });
  breakOff(tunnel);
  await Promise.all(endings.map(({ closed }) => closed));
  // The side that was destroyed itself knows; the other has only what it sees.
  for (const { cleanEnds } of endings) expect(cleanEnds).not.toContain(true);
  expect(ends.map(({ isBroken }) => isBroken)).toEqual([true, true]);
});

test.each(Object.entries(BREAKS))("nor after its other direction had ended: a tunnel that %s", async (_, breakOff) => {
  const tunnel = await tunnelled();
  tunnel.clientEnd.duplex.end("all");
  expect(await textOf(tunnel.serverEnd)).toBe("all");
  const { cleanEnds, closed } = endOf(tunnel.clientEnd);
  tunnel.serverEnd.duplex.on("error", () => undefined);
  tunnel.clientEnd.duplex.once("end", () => cleanEnds.push(!tunnel.clientEnd.isBroken));
  breakOff(tunnel);
  await closed;
  expect(cleanEnds).not.toContain(true);
  expect(tunnel.clientEnd.isBroken).toBe(true);
});

test("a reader that does not read stops the writer, and others go on", async () => {
  const { client, nextTunnel, clientEnd } = await tunnelled();
  const chunk = Buffer.alloc(64 * 1024);
  const fill = (): void => {
    while (clientEnd.duplex.write(chunk));
    clientEnd.duplex.once("drain", fill);
  };
  fill();
  const opening = client.open({ authority: "10.0.0.1:81", headers: {} });
  const second = (await nextTunnel(1)).accept({});
  (await opening).duplex.end("through");
  expect(await textOf(second)).toBe("through");
  await vi.waitFor(() => expect(clientEnd.duplex.writableNeedDrain).toBe(true));
  expect(clientEnd.duplex.writableLength).toBeLessThan(2 * LIMITS.streamWindow);
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
  serverEnd.duplex.end("last");
  expect(await textOf(clientEnd)).toBe("last");
  clientEnd.duplex.end();
  serverEnd.duplex.resume();
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
  clientEnd.duplex.end("still");
  expect(await textOf(serverEnd)).toBe("still");
  serverEnd.duplex.end("here");
  expect(await textOf(clientEnd)).toBe("here");
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
  expect(first.accept({}).duplex.destroyed).toBe(true);
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
