import { once } from "node:events";
import {
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { loopbackPair } from "../testing/loopback.ts";
import { Reading } from "../testing/reading.ts";
import { END_STREAM, FRAME, RawHttp2Peer, readSettingsFrame, SETTING } from "../testing/raw-http2.ts";
import { openTunnelConnection } from "./tunnel-client.ts";
import { serveTunnels } from "./tunnel-server.ts";
import type { IncomingTunnel, TunnelConnection } from "./tunnel.ts";
import { TUNNEL_LIMITS } from "./tunnel-limits.ts";

/** Peers that are not ours: Node's HTTP/2 as anybody uses it, and frames written by hand. */

const REQUEST = { authority: "10.0.0.1:80", headers: { baggage: "a=b" } };
const CONNECT_FIELDS = [
  [":method", "CONNECT"],
  [":authority", "10.0.0.1:80"],
] as const;

afterEach(() => void vi.useRealTimers());

/** Our client, and the other end of its connection. */
const dialled = async (answer: (far: Socket) => void, onClosed = () => undefined as void, limits = TUNNEL_LIMITS) => {
  const [near, far] = await loopbackPair(false);
  const opening = openTunnelConnection(near, limits, onClosed);
  answer(far);
  return { near, far, opening };
};

/** Our client against a plain server of Node's. */
const againstNode = async (onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void) => {
  const server = createServer({ settings: { maxConcurrentStreams: 2 } });
  server.on("stream", onStream);
  server.on("sessionError", () => undefined);
  const session = new Promise<Http2Session>((resolve) => {
    server.once("session", resolve);
  });
  const { opening } = await dialled((far) => server.emit("connection", far));
  return { connection: await opening, session: await session };
};

/** Our client against frames written by hand. */
const againstFrames = async (settings: Readonly<Record<number, number>> = {}, limits = TUNNEL_LIMITS) => {
  let raw: RawHttp2Peer | undefined;
  const onClosed = vi.fn<() => void>();
  const { near, far, opening } = await dialled(
    (socket) => {
      raw = new RawHttp2Peer(socket, true);
      raw.settings(settings);
    },
    onClosed,
    limits,
  );
  return { connection: await opening, raw: raw as RawHttp2Peer, near, far, onClosed };
};

/** Our server, called by frames written by hand. */
const calledByFrames = async (limits = TUNNEL_LIMITS) => {
  const [near, far] = await loopbackPair(false);
  const tunnels: IncomingTunnel[] = [];
  const onClosed = vi.fn<() => void>();
  const server = serveTunnels(far, limits, (tunnel) => tunnels.push(tunnel), onClosed);
  const raw = new RawHttp2Peer(near, false);
  raw.settings();
  await raw.next(FRAME.settings);
  const nextTunnel = (at = 0): Promise<IncomingTunnel> =>
    vi.waitFor(() => tunnels[at] ?? Promise.reject(new Error("no tunnel yet")));
  return { raw, server, near, tunnels, nextTunnel, onClosed };
};

test("CONNECT is sent without :scheme and :path, with the request's own headers", async () => {
  const seen = vi.fn<(headers: IncomingHttpHeaders) => void>();
  const { connection } = await againstNode((stream, headers) => {
    seen(Object.fromEntries(Object.entries(headers)));
    stream.respond({ ":status": 200 });
  });
  await connection.open(REQUEST);
  expect(seen.mock.calls).toEqual([[{ ":method": "CONNECT", ":authority": "10.0.0.1:80", baggage: "a=b" }]]);
});

test("CONNECT without :scheme and :path is taken, and the answer has the headers that accepting gives it", async () => {
  const [near, far] = await loopbackPair(false);
  serveTunnels(
    far,
    TUNNEL_LIMITS,
    (tunnel) => void tunnel.accept({ baggage: "c=d" }),
    () => undefined,
  );
  const client = connect("http://any", { createConnection: () => near });
  client.on("error", () => undefined);
  const stream = client.request({ ":method": "CONNECT", ":authority": "10.0.0.1:80" });
  const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
  expect(headers).toMatchObject({ ":status": 200, baggage: "c=d" });
  client.destroy();
});

test.each([400, 401, 503] as const)(
  "a refusal with %i is an answer without a body, that ends the stream",
  async (status) => {
    const { raw, nextTunnel } = await calledByFrames();
    raw.headers(1, CONNECT_FIELDS);
    (await nextTunnel()).refuse(status);
    const answer = await raw.next(FRAME.headers);
    expect([answer.stream, answer.flags & END_STREAM]).toEqual([1, END_STREAM]);
    expect(raw.frames.filter(({ type }) => type === FRAME.data)).toEqual([]);
  },
);

test("a refused caller has its answer first, then its stream is closed without an error, and what it sends is thrown away", async () => {
  const { raw, server, nextTunnel, onClosed } = await calledByFrames();
  raw.headers(1, CONNECT_FIELDS);
  (await nextTunnel()).refuse(401);
  const reset = await raw.next(FRAME.reset);
  expect([reset.stream, reset.payload.readUInt32BE()]).toEqual([1, constants.NGHTTP2_NO_ERROR]);
  expect(raw.frames.map(({ type }) => type).slice(-2)).toEqual([FRAME.headers, FRAME.reset]);
  expect(server.openTunnels).toBe(0);
  for (let sent = 0; sent < 60; sent++) raw.send(FRAME.data, 0, 1, Buffer.alloc(16_000));
  await raw.next(FRAME.windowUpdate, ({ stream }) => stream === 0);
  expect(onClosed).not.toHaveBeenCalled();
});

test("a caller that resets its request before it is answered disturbs nobody", async () => {
  const { raw, server, nextTunnel } = await calledByFrames();
  raw.headers(1, CONNECT_FIELDS);
  const tunnel = await nextTunnel();
  raw.reset(1, constants.NGHTTP2_INTERNAL_ERROR);
  await vi.waitFor(() => expect([server.openTunnels, tunnel.isGone]).toEqual([0, true]));
  tunnel.refuse(503);
  raw.headers(3, CONNECT_FIELDS);
  expect((await nextTunnel(1)).isGone).toBe(false);
});

const SAID_BY_BOTH = {
  [SETTING.headerTableSize]: 4096,
  [SETTING.maxConcurrentStreams]: 200,
  [SETTING.initialWindowSize]: 256 * 1024,
  [SETTING.maxFrameSize]: 1024 * 1024,
  [SETTING.maxHeaderListSize]: 16 * 1024,
};

test("both sides say their limits, and open the connection's window", async () => {
  const [server, client] = [await calledByFrames(), await againstFrames()];
  const said = await Promise.all([server, client].map(({ raw }) => raw.next(FRAME.settings)));
  expect(said.map(readSettingsFrame)).toEqual([
    { ...SAID_BY_BOTH, [SETTING.noRfc7540Priorities]: 1 },
    { ...SAID_BY_BOTH, [SETTING.enablePush]: 0 },
  ]);
  for (const { raw } of [server, client]) {
    const window = await raw.next(FRAME.windowUpdate, ({ stream }) => stream === 0);
    expect(65_535 + window.payload.readUInt32BE()).toBe(1024 * 1024);
  }
});

test("a connection is not open before the other end's SETTINGS", async () => {
  const opened = vi.fn<(connection: TunnelConnection) => void>();
  let raw: RawHttp2Peer | undefined;
  const { opening } = await dialled((far) => (raw = new RawHttp2Peer(far, true)));
  void opening.then(opened);
  await raw?.next(FRAME.settings);
  expect(opened).not.toHaveBeenCalled();
  raw?.settings();
  await vi.waitFor(() => expect(opened).toHaveBeenCalled());
});

test.each<[string, (far: Socket) => void]>([
  ["ends the connection", (far) => void far.end()],
  ["resets the connection", (far) => void far.resetAndDestroy()],
  ["says something else", (far) => void far.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
])(
  "a peer that %s instead of sending SETTINGS is a failure to connect, and not a connection that closed",
  async (_, act) => {
    const onClosed = vi.fn<() => void>();
    const { opening, near } = await dialled(act, onClosed);
    await expect(opening).rejects.toThrow(Error);
    await vi.waitFor(() => expect(near.destroyed).toBe(true));
    expect(onClosed).not.toHaveBeenCalled();
  },
);

test("a peer that sends no SETTINGS in time is a failure to connect, and its connection ends", async () => {
  const [near, far] = await loopbackPair(false);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const opening = openTunnelConnection(near, TUNNEL_LIMITS, () => undefined);
  opening.catch(() => undefined);
  vi.advanceTimersByTime(TUNNEL_LIMITS.settingsTimeoutMs);
  vi.useRealTimers();
  const closed = once(far, "close");
  far.resume();
  await expect(opening).rejects.toThrow("no SETTINGS");
  await closed;
});

test("a connection that is gone before HTTP/2 began is a failure to connect", async () => {
  const [near] = await loopbackPair(false);
  near.destroy();
  await expect(openTunnelConnection(near, TUNNEL_LIMITS, () => undefined)).rejects.toThrow(Error);
});

test("a limit of the other end's that is smaller than ours is obeyed", async () => {
  const { connection } = await againstNode((stream) => stream.respond({ ":status": 200 }));
  expect(connection.room).toBe(2);
  await Promise.all([connection.open(REQUEST), connection.open(REQUEST)]);
  expect(connection.room).toBe(0);
});

test("a limit that changes is obeyed from then on, also one of nothing at all", async () => {
  const { connection, raw } = await againstFrames();
  expect(connection.room).toBe(100);
  raw.settings({ [SETTING.maxConcurrentStreams]: 0 });
  await vi.waitFor(() => expect(connection.room).toBe(0));
});

test("a caller gets no more tunnels than it was told: one more is refused, and may be tried elsewhere", async () => {
  const { raw, tunnels, server, onClosed } = await calledByFrames();
  for (let stream = 1; stream <= 2 * 201; stream += 2) raw.headers(stream, CONNECT_FIELDS);
  const reset = await raw.next(FRAME.reset);
  expect([reset.stream, reset.payload.readUInt32BE()]).toEqual([401, constants.NGHTTP2_REFUSED_STREAM]);
  expect([tunnels.length, server.openTunnels]).toEqual([200, 200]);
  expect(onClosed).not.toHaveBeenCalled();
});

test("a caller that asks for more again and again loses its connection", async () => {
  const { raw, onClosed } = await calledByFrames();
  for (let stream = 1; stream <= 2 * 1_000; stream += 2) raw.headers(stream, CONNECT_FIELDS);
  const goaway = await raw.next(FRAME.goaway);
  expect(goaway.payload.readUInt32BE(4)).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  await vi.waitFor(() => expect(onClosed).toHaveBeenCalledTimes(1));
});

test.each<[string, number]>([
  ["NO_ERROR", constants.NGHTTP2_NO_ERROR],
  ["CANCEL", constants.NGHTTP2_CANCEL],
  ["REFUSED_STREAM", constants.NGHTTP2_REFUSED_STREAM],
  ["INTERNAL_ERROR", constants.NGHTTP2_INTERNAL_ERROR],
])("a request that is reset with %s before it was answered has failed", async (_, code) => {
  const { connection, raw } = await againstFrames();
  const opening = connection.open(REQUEST);
  raw.reset((await raw.next(FRAME.headers)).stream, code);
  await expect(opening).rejects.toMatchObject({ kind: "broken", status: undefined });
  await vi.waitFor(() => expect(connection.openTunnels).toBe(0));
});

const ANSWERED = [[":status", "200"]] as const;

test.each<[string, number, boolean]>([
  ["CONNECT_ERROR", constants.NGHTTP2_CONNECT_ERROR, true],
  ["CANCEL", constants.NGHTTP2_CANCEL, true],
  ["INTERNAL_ERROR", constants.NGHTTP2_INTERNAL_ERROR, true],
  ["NO_ERROR", constants.NGHTTP2_NO_ERROR, false],
])("a tunnel that is reset with %s has been broken off: %s", async (_, code, isBroken) => {
  const { connection, raw } = await againstFrames();
  const opening = connection.open(REQUEST);
  const { stream } = await raw.next(FRAME.headers);
  raw.headers(stream, ANSWERED);
  const tunnel = await opening;
  const reading = new Reading(tunnel);
  raw.reset(stream, code);
  expect((await reading.untilClosed()) !== undefined).toBe(isBroken);
  expect(reading.hasEnded).toBe(!isBroken);
});

test("a tunnel that we break off is reset with CONNECT_ERROR, and not ended before", async () => {
  const server = await calledByFrames();
  server.raw.headers(1, CONNECT_FIELDS);
  const incoming = (await server.nextTunnel()).accept({});
  incoming.reset();
  const client = await againstFrames();
  const opening = client.connection.open(REQUEST);
  const { stream } = await client.raw.next(FRAME.headers);
  client.raw.headers(stream, ANSWERED);
  const outgoing = await opening;
  outgoing.reset();
  for (const { raw } of [server, client]) {
    const reset = await raw.next(FRAME.reset);
    expect(reset.payload.readUInt32BE()).toBe(constants.NGHTTP2_CONNECT_ERROR);
    expect(raw.frames.filter(({ type, flags }) => type === FRAME.data && (flags & END_STREAM) !== 0)).toEqual([]);
  }
  // Once more is no error.
  incoming.reset();
  outgoing.reset();
});

test("the end of a tunnel is END_STREAM, and no reset", async () => {
  const { raw, nextTunnel } = await calledByFrames();
  raw.headers(1, CONNECT_FIELDS);
  const tunnel = (await nextTunnel()).accept({});
  const reading = new Reading(tunnel);
  tunnel.write(Buffer.from("bye"));
  tunnel.end();
  const last = await raw.next(FRAME.data, ({ flags }) => (flags & END_STREAM) !== 0);
  expect(last.stream).toBe(1);
  raw.send(FRAME.data, END_STREAM, 1, Buffer.from("me too"));
  expect(await reading.untilEnd()).toBe("me too");
  expect(await reading.untilClosed()).toBeUndefined();
  expect(raw.frames.filter(({ type }) => type === FRAME.reset)).toEqual([]);
});

test("after GOAWAY nothing more is opened, what is open goes on, and then the connection ends", async () => {
  const { connection, raw, onClosed } = await againstFrames();
  const opening = connection.open(REQUEST);
  const { stream } = await raw.next(FRAME.headers);
  raw.headers(stream, ANSWERED);
  const tunnel = await opening;
  raw.goaway(stream);
  await vi.waitFor(() => expect(connection.room).toBe(0));
  const reading = new Reading(tunnel);
  tunnel.end();
  raw.send(FRAME.data, END_STREAM, stream, Buffer.from("rest"));
  expect(await reading.untilEnd()).toBe("rest");
  await vi.waitFor(() => expect(onClosed).toHaveBeenCalledTimes(1));
});

test("a request that GOAWAY overtook has failed", async () => {
  const { connection, raw } = await againstFrames();
  const opening = connection.open(REQUEST);
  await raw.next(FRAME.headers);
  raw.goaway(0);
  await expect(opening).rejects.toMatchObject({ kind: "broken" });
});

test("a drain says GOAWAY twice: what was under way before the first was read is still taken, then nothing", async () => {
  const { raw, server, near, tunnels } = await calledByFrames();
  raw.headers(1, CONNECT_FIELDS);
  await vi.waitFor(() => expect(server.openTunnels).toBe(1));
  server.drain();
  const first = await raw.next(FRAME.goaway);
  expect([first.payload.readUInt32BE(0), first.payload.readUInt32BE(4)]).toEqual([
    2 ** 31 - 1,
    constants.NGHTTP2_NO_ERROR,
  ]);
  raw.headers(3, CONNECT_FIELDS);
  const ping = await raw.next(FRAME.ping);
  raw.send(FRAME.ping, 1, 0, ping.payload);
  const second = await raw.next(FRAME.goaway, ({ payload }) => payload.readUInt32BE(0) < 2 ** 31 - 1);
  expect([second.payload.readUInt32BE(0), second.payload.readUInt32BE(4)]).toEqual([3, constants.NGHTTP2_NO_ERROR]);
  raw.headers(5, CONNECT_FIELDS);
  const own = Buffer.from("answered");
  raw.send(FRAME.ping, 0, 0, own);
  await raw.next(FRAME.ping, ({ payload }) => payload.equals(own));
  expect([tunnels.length, near.destroyed]).toEqual([2, false]);
});

test.each(["server", "client"] as const)(
  "a peer of our %s that answers PINGs stays, and is given up when it does not any more",
  async (role) => {
    const limits = { ...TUNNEL_LIMITS, pingIntervalMs: 20, pingTimeoutMs: 1_000 };
    const { raw, onClosed } = role === "server" ? await calledByFrames(limits) : await againstFrames({}, limits);
    for (let answered = 0; answered < 5; answered++) {
      const ping = await raw.next(FRAME.ping, ({ flags }) => flags === 0);
      raw.frames.length = 0;
      raw.send(FRAME.ping, 1, 0, ping.payload);
    }
    expect(onClosed).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(onClosed).toHaveBeenCalledTimes(1), { timeout: 4_000 });
  },
);

test("requests that are no CONNECT are shown for what they are, to be refused", async () => {
  const { raw, nextTunnel } = await calledByFrames();
  raw.headers(1, [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/"],
    [":authority", "10.0.0.1:80"],
  ]);
  expect((await nextTunnel()).method).toBe("GET");
});

test("a stream that breaks the protocol ends with its connection, and nobody is asked", async () => {
  const { raw, tunnels, onClosed } = await calledByFrames();
  raw.send(FRAME.data, 0, 1, Buffer.from("before any headers"));
  await vi.waitFor(() => expect(onClosed).toHaveBeenCalledTimes(1));
  expect(tunnels).toEqual([]);
});

test("an independent client and ours see the same of a tunnel: bytes both ways, then both ends", async () => {
  const [near, far] = await loopbackPair(false);
  serveTunnels(
    far,
    TUNNEL_LIMITS,
    (tunnel) => {
      const echoed = tunnel.accept({});
      echoed.read({
        data: (bytes) => void echoed.write(bytes),
        end: () => echoed.end(),
        writable: () => undefined,
        closed: () => undefined,
      });
    },
    () => undefined,
  );
  const client = connect("http://any", { createConnection: () => near });
  client.on("error", () => undefined);
  const stream: ClientHttp2Stream = client.request({ ":method": "CONNECT", ":authority": "10.0.0.1:80" });
  stream.end("echo");
  let text = "";
  stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(stream, "end");
  expect(text).toBe("echo");
  client.close();
});
