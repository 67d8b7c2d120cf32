import { expect, test } from "vitest";
import { ReceiveWindow } from "./receive-window.ts";
import {
  data,
  GET,
  get,
  headers,
  type Pairs,
  post,
  rawFrame,
  rst,
  settings,
  windowUpdate,
} from "./testing/raw-frames.ts";
import { ScriptedPeer, section } from "./testing/scripted-peer.ts";
import { TEST_LIMITS, testLimits } from "./testing/test-limits.ts";

const OK: Pairs = [[":status", "200"]];
const WINDOW = 65_535;
/** So much DATA in frames of at most 16384 bytes. */
const dataOf = (streamId: number, bytes: number): Uint8Array => {
  const frames: Uint8Array[] = [];
  for (let left = bytes; left > 0; left -= 16_384) frames.push(data(streamId, Math.min(left, 16_384)));
  return Buffer.concat(frames);
};

/** A server with one request, whose answer has begun. */
const answering = (script: ConstructorParameters<typeof ScriptedPeer>[1] = {}) => {
  const peer = new ScriptedPeer("server", script);
  peer.send(get(1));
  peer.stream(1).sendHead(section(OK), false);
  peer.frames();
  return peer;
};
const lengths = (peer: ScriptedPeer): readonly number[] =>
  peer.frames().flatMap(({ type, payload }) => (type === 0 ? [payload.length] : []));
const total = (peer: ScriptedPeer): number => lengths(peer).reduce((sum, length) => sum + length, 0);

test("no more is sent than the stream's window, in frames of the peer's size; the rest follows WINDOW_UPDATE", () => {
  const peer = answering();
  peer.send(windowUpdate(0, 1_000_000));
  expect(peer.stream(1).write(new Uint8Array(WINDOW + 10))).toBe(true);
  expect(lengths(peer)).toEqual([16_384, 16_384, 16_384, 16_383]);
  peer.send(windowUpdate(1, 4));
  expect(lengths(peer)).toEqual([4]);
  peer.send(windowUpdate(1, 100));
  expect(lengths(peer)).toEqual([6]);
});

test("no more is sent than the connection's window, whatever the streams' are", () => {
  const peer = answering();
  peer.send(windowUpdate(1, 1_000_000));
  peer.stream(1).write(new Uint8Array(WINDOW + 10));
  expect(total(peer)).toBe(WINDOW);
  peer.send(windowUpdate(0, 7));
  expect(total(peer)).toBe(7);
});

test("H2-23: windows become negative where SETTINGS take back more than is left (RFC 9113 section 6.9.2)", () => {
  const peer = answering();
  peer.send(windowUpdate(0, 1_000_000));
  peer.stream(1).write(new Uint8Array(WINDOW));
  expect(total(peer)).toBe(WINDOW);
  peer.send(settings([4, 1000]));
  peer.stream(1).write(new Uint8Array(5000));
  peer.send(windowUpdate(1, WINDOW - 1000));
  expect(total(peer)).toBe(0);
  peer.send(windowUpdate(1, 1));
  expect(total(peer)).toBe(1);
  peer.send(settings([4, 3000]));
  expect(total(peer)).toBe(2000);
});

test("H2-22: a window over 2^31-1 by SETTINGS ends the connection, by WINDOW_UPDATE its stream (RFC 9113 section 6.9.1)", () => {
  const bySettings = answering();
  bySettings.send(windowUpdate(1, 2 ** 31 - 1 - WINDOW), settings([4, WINDOW + 1]));
  expect(bySettings.connection.failure?.code).toBe(3);
  const byUpdate = answering();
  byUpdate.send(windowUpdate(1, 2 ** 31 - WINDOW));
  expect([byUpdate.sent(), byUpdate.connection.failure]).toEqual([["RST_STREAM 1 code 3"], undefined]);
});

test("heads and the end need no window; END_STREAM comes with the last DATA, trailers after it", () => {
  const peer = answering();
  peer.stream(1).write(new Uint8Array(WINDOW + 1));
  peer.stream(1).end();
  peer.frames();
  peer.send(get(3), get(5));
  for (const id of [3, 5]) peer.stream(id).sendHead(section(OK), false);
  peer.stream(3).end();
  peer.stream(5).end(section([["grpc-status", "0"]]));
  expect(peer.sent()).toEqual(["HEADERS 3", "HEADERS 5", "DATA 3 length 0 END_STREAM", "HEADERS 5 END_STREAM"]);
  peer.send(windowUpdate(1, 1), windowUpdate(0, 1));
  expect(peer.sent()).toEqual(["DATA 1 length 1 END_STREAM"]);
  expect(peer.connection.openStreams).toBe(0);
});

test("what waits for a window is counted, and who writes is told when there is room again", () => {
  const peer = answering();
  peer.stream(1).write(new Uint8Array(WINDOW));
  expect(peer.stream(1).write(new Uint8Array(64 * 1024))).toBe(false);
  expect(peer.stream(1).queuedBytes).toBe(64 * 1024);
  peer.send(windowUpdate(0, 1_000_000), windowUpdate(1, 20_000));
  peer.frames();
  expect(peer.calls).not.toContain("writable 1");
  peer.send(windowUpdate(1, 20_000));
  peer.frames();
  expect(peer.calls.filter((call) => call === "writable 1").length).toBe(1);
  expect(peer.stream(1).queuedBytes).toBe(64 * 1024 - 40_000);
});

test("streams take turns of 16 KiB, and one whose window is closed holds up no other", () => {
  const peer = new ScriptedPeer("server");
  for (const id of [1, 3, 5]) peer.send(get(id));
  // Also where the peer would take it all in one frame.
  peer.send(settings([4, 40_000], [5, 2 ** 20]));
  for (const id of [1, 3, 5]) {
    peer.stream(id).sendHead(section(OK), false);
    if (id !== 1) continue;
    peer.stream(1).write(new Uint8Array(40_000));
    peer.connection.setBlocked(true);
  }
  for (const id of [1, 3, 5]) peer.stream(id).write(new Uint8Array(60_000));
  peer.frames();
  peer.send(windowUpdate(0, 1_000_000));
  peer.connection.setBlocked(false);
  const turns = peer
    .frames()
    .flatMap(({ type, streamId, payload }) => (type === 0 ? [`${streamId}: ${payload.length}`] : []));
  expect(turns).toEqual(["3: 16384", "5: 16384", "3: 16384", "5: 16384", "3: 7232", "5: 7232"]);
});

test("bytes that are queued one by one go out together", () => {
  const peer = answering();
  peer.connection.setBlocked(true);
  for (let index = 0; index < 5000; index++) peer.stream(1).write(Uint8Array.of(index % 251));
  peer.connection.setBlocked(false);
  const sent = peer.frames();
  expect(sent.length).toBeLessThan(10);
  expect(Buffer.concat(sent.map(({ payload }) => payload)).every((byte, index) => byte === index % 251)).toBe(true);
});

test("H2-21: a peer with closed windows gets nothing, and all who write for it share what may be queued", () => {
  const peer = new ScriptedPeer("server", {
    onEnd: (stream) => {
      stream.sendHead(section(OK), false);
      while (stream.write(new Uint8Array(16_384)));
    },
  });
  peer.send(settings([4, 0]));
  for (let index = 0; index < 50; index++) peer.send(get(2 * index + 1));
  expect(total(peer)).toBe(0);
  expect([...peer.streams.values()].map(({ queuedBytes }) => queuedBytes)).toEqual([
    65_536,
    ...Array.from({ length: 49 }, () => 16_384),
  ]);
});

test("a stream that has nothing queued may write, whatever others have, and goes on when its turn has come", () => {
  const peer = new ScriptedPeer("server");
  for (const id of [1, 3]) peer.send(get(id));
  for (const id of [1, 3]) peer.stream(id).sendHead(section(OK), false);
  peer.send(settings([4, 40_000]), windowUpdate(0, 1_000_000));
  expect(peer.stream(1).write(new Uint8Array(40_000 + 64 * 1024))).toBe(false);
  expect(peer.stream(3).write(new Uint8Array(40_000))).toBe(true);
  expect(peer.stream(3).write(new Uint8Array(1_000))).toBe(false);
  peer.send(windowUpdate(3, 1_000));
  peer.frames();
  expect(peer.calls).toContain("writable 3");
  expect(peer.calls).not.toContain("writable 1");
  expect(peer.stream(3).write(new Uint8Array(0))).toBe(true);
});

test("what was sent of a queue leaves room for others", () => {
  const peer = new ScriptedPeer("server");
  for (const id of [1, 3]) peer.send(get(id));
  for (const id of [1, 3]) peer.stream(id).sendHead(section(OK), false);
  peer.send(settings([4, 0]));
  expect(peer.stream(1).write(new Uint8Array(64 * 1024))).toBe(false);
  expect(peer.stream(3).write(new Uint8Array(1_000))).toBe(false);
  peer.send(windowUpdate(0, 1_000_000), windowUpdate(1, 64 * 1024), windowUpdate(3, 1_000));
  peer.frames();
  expect(peer.stream(3).write(new Uint8Array(1_000))).toBe(true);
});

test("what a stream that is gone had queued is in nobody's way", () => {
  const peer = new ScriptedPeer("server");
  for (const id of [1, 3]) peer.send(get(id));
  for (const id of [1, 3]) peer.stream(id).sendHead(section(OK), false);
  peer.send(settings([4, 0]));
  expect(peer.stream(1).write(new Uint8Array(64 * 1024))).toBe(false);
  peer.send(rst(1));
  expect(peer.stream(3).write(new Uint8Array(1_000))).toBe(true);
});

test("H2-20: one byte a frame is taken like any other, as far as the window goes", () => {
  const peer = new ScriptedPeer("server");
  peer.send(post(1));
  const byte = data(1, 1);
  peer.send(Buffer.concat(Array.from({ length: WINDOW }, () => byte)));
  expect([peer.connection.failure, peer.sent()]).toEqual([undefined, []]);
  peer.stream(1).consumed(WINDOW);
  expect(peer.sent()).toEqual([`WINDOW_UPDATE 0 +${WINDOW}`, `WINDOW_UPDATE 1 +${WINDOW}`]);
});

test("while whoever carries the bytes has enough, heads go on and DATA waits", () => {
  const peer = answering();
  peer.connection.setBlocked(true);
  peer.stream(1).write(new Uint8Array(5));
  expect(peer.sent()).toEqual([]);
  peer.connection.setBlocked(false);
  expect(peer.sent()).toEqual(["DATA 1 length 5"]);
});

test("a stream that ends within a turn has its bytes counted before anybody is told", () => {
  const peer = new ScriptedPeer("server", {
    onStreamClosed: ({ id }) => {
      if (id === 1) peer.stream(3).write(new Uint8Array(WINDOW));
    },
  });
  peer.send(get(1), get(3));
  for (const id of [1, 3]) peer.stream(id).sendHead(section(OK), false);
  peer.connection.setBlocked(true);
  peer.stream(1).write(new Uint8Array(10_000));
  peer.stream(1).end();
  peer.connection.setBlocked(false);
  expect(total(peer)).toBe(WINDOW);
  expect(peer.stream(1).queuedBytes).toBe(0);
});

test("the peer may send what its windows allow and no byte more", () => {
  const ofStream = new ScriptedPeer("server", { limits: testLimits({ connectionWindow: 200_000 }) });
  ofStream.send(post(1), dataOf(1, WINDOW));
  expect(ofStream.sent()).toEqual([]);
  ofStream.send(data(1, 1));
  expect(ofStream.sent()).toEqual(["RST_STREAM 1 code 3"]);
  const ofConnection = new ScriptedPeer("server");
  ofConnection.send(post(1), post(3), dataOf(1, 40_000), dataOf(3, 25_535));
  expect(ofConnection.connection.failure).toBeUndefined();
  ofConnection.send(data(3, 1));
  expect(ofConnection.connection.failure?.code).toBe(3);
});

test("room is given back on both levels when bytes were consumed, in portions of half a window", () => {
  const peer = new ScriptedPeer("server");
  peer.send(post(1), dataOf(1, WINDOW));
  peer.stream(1).consumed(32_767);
  expect(peer.sent()).toEqual([]);
  peer.stream(1).consumed(1);
  expect(peer.sent()).toEqual(["WINDOW_UPDATE 0 +32768", "WINDOW_UPDATE 1 +32768"]);
});

test("the connection's room is announced also where no stream's is", () => {
  const peer = new ScriptedPeer("server");
  peer.send(post(1), post(3), dataOf(1, 30_000), dataOf(3, 30_000));
  const { wakes } = peer;
  peer.stream(1).consumed(30_000);
  expect(peer.wakes).toBe(wakes);
  peer.stream(3).consumed(30_000);
  expect(peer.wakes).toBe(wakes + 1);
  expect(peer.sent()).toEqual(["WINDOW_UPDATE 0 +60000"]);
});

test("nobody consumes more than came", () => {
  const peer = new ScriptedPeer("server");
  peer.send(post(1), data(1, 10));
  peer.stream(1).consumed(1_000_000);
  expect(peer.sent()).toEqual([]);
});

// However DATA goes by, the connection has its room back: two windows pass one after the other.
const LOST: readonly (readonly [what: string, pass: (peer: ScriptedPeer, id: number) => void])[] = [
  [
    "padding",
    (peer, id) =>
      peer.send(post(id), ...Array.from({ length: 128 }, () => rawFrame(0, 8, id, [255, ...new Uint8Array(256)]))),
  ],
  ["a stream that the peer resets", (peer, id) => peer.send(post(id), dataOf(id, 60_000), rst(id))],
  [
    "a stream that we reset",
    (peer, id) => {
      peer.send(post(id), dataOf(id, 60_000));
      peer.stream(id).reset(8);
    },
  ],
  [
    "DATA for a stream that we reset",
    (peer, id) => {
      peer.send(post(id));
      peer.stream(id).reset(8);
      peer.send(dataOf(id, 60_000));
    },
  ],
  [
    "DATA within which we reset",
    (peer, id) => {
      const bytes = dataOf(id, 60_000);
      peer.send(post(id), bytes.subarray(0, 50_000));
      peer.stream(id).reset(8);
      peer.send(bytes.subarray(50_000));
    },
  ],
  ["DATA beyond content-length", (peer, id) => peer.send(post(id, [["content-length", "1"]]), dataOf(id, 60_000))],
  [
    "an ended stream that is reset before it was consumed",
    (peer, id) => {
      peer.send(post(id), dataOf(id, 60_000), data(id, 0, true));
      peer.stream(id).sendHead(section(OK), true);
      peer.stream(id).reset(8);
    },
  ],
];

test.each(LOST)("%s does not use the connection's window up", (_, pass) => {
  const peer = new ScriptedPeer("server");
  for (const id of [1, 3, 5, 7]) {
    pass(peer, id);
    expect(peer.connection.failure).toBeUndefined();
    expect(peer.sent().filter((frame) => frame.startsWith("WINDOW_UPDATE 0")).length).toBeGreaterThan(0);
  }
});

test("an ended stream's bytes count until its reader has consumed them", () => {
  const peer = new ScriptedPeer("server");
  peer.send(post(1), dataOf(1, 60_000), data(1, 0, true));
  peer.stream(1).sendHead(section(OK), true);
  peer.frames();
  expect(peer.connection.openStreams).toBe(0);
  peer.stream(1).consumed(60_000);
  expect(peer.sent()).toEqual(["WINDOW_UPDATE 0 +60000"]);
});

test("the first WINDOW_UPDATE makes the connection's window what the limits say", () => {
  const peer = new ScriptedPeer("client", { limits: testLimits({ connectionWindow: 100_000 }), isGreeted: false });
  peer.send(settings());
  peer.open(GET);
  peer.send(headers(1, OK), dataOf(1, WINDOW));
  expect(peer.connection.failure).toBeUndefined();
});

test("a receive window grows by the difference, and never over 2^31-1", () => {
  const window = new ReceiveWindow(100);
  expect([window.grow(250), window.grow(200), window.size]).toEqual([150, 0, 250]);
  expect([window.take(250), window.take(1)]).toEqual([true, false]);
  expect(window.grow(2 ** 40)).toBe(2 ** 31 - 1 - 250);
});

/** Streams of 1 MiB at most, connections of 4. */
const GROWING = testLimits({ connectionWindow: 262_144, maxStreamWindow: 1_048_576, maxConnectionWindow: 4_194_304 });
/** Consumes everything at once, and answers PINGs as the test says. */
const probed = (limits = GROWING) => {
  const peer = new ScriptedPeer("server", { limits, onData: (stream, { length }) => stream.consumed(length) });
  peer.send(post(1));
  return peer;
};
const pingOf = (peer: ScriptedPeer) =>
  peer
    .frames()
    .filter(({ type }) => type === 6)
    .map(({ payload }) => payload);
const pong = (payload: Uint8Array): Uint8Array => rawFrame(6, 1, 0, payload);

test("a window that a stream fills within a round trip is doubled, and the connection's with it", () => {
  const peer = probed();
  peer.send(dataOf(1, 40_000));
  const [probe, ...more] = pingOf(peer);
  expect([probe !== undefined, more.length]).toEqual([true, 0]);
  peer.send(dataOf(1, 40_000));
  peer.frames();
  peer.send(pong(probe as Uint8Array));
  expect(peer.sent()).toEqual(["WINDOW_UPDATE 1 +65535", "WINDOW_UPDATE 0 +262136"]);
});

test("a window that is not filled within a round trip stays", () => {
  const peer = probed();
  peer.send(dataOf(1, 40_000));
  const [probe] = pingOf(peer);
  peer.send(pong(probe as Uint8Array));
  expect(peer.sent()).toEqual([]);
});

test("windows do not grow above the limits, nor for a reader that does not keep up", () => {
  const peer = probed(TEST_LIMITS);
  peer.send(dataOf(1, 40_000));
  expect(pingOf(peer)).toEqual([]);
  const slow = new ScriptedPeer("server", { limits: GROWING });
  slow.send(post(1), dataOf(1, 60_000));
  expect(slow.sent()).toEqual([]);
});

test("the answers to any number of our probes are no flood", () => {
  const peer = probed();
  for (let round = 0; round < 1000; round++) {
    peer.send(dataOf(1, 33_000));
    for (const probe of pingOf(peer)) peer.send(pong(probe));
  }
  expect(peer.connection.failure).toBeUndefined();
});
