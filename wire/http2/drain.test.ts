import { expect, test } from "vitest";
import { ERROR_CODE } from "./error-code.ts";
import { Http2ConnectionError } from "./http2-error.ts";
import { data, GET, get, goAway, headers, type Pairs, ping, post, rawFrame } from "./testing/raw-frames.ts";
import { ScriptedPeer, section } from "./testing/scripted-peer.ts";

const OK: Pairs = [[":status", "200"]];
const answerAll = (peer: ScriptedPeer): void => {
  for (const stream of peer.streams.values())
    if (stream.state === "half-closed-remote") stream.sendHead(section(OK), true);
};
/** What a peer sends when it has read a drain's first GOAWAY. */
const pongOf = (peer: ScriptedPeer): Uint8Array => {
  const asked = peer.frames().find(({ type }) => type === 6);
  if (!asked) throw new Error("no PING");
  return rawFrame(6, 1, 0, asked.payload);
};

test("H2-45: a server says first that it goes, takes what was under way, and only then says what it did not take", () => {
  const peer = new ScriptedPeer("server");
  peer.send(get(1));
  peer.connection.drain();
  const [first, second] = peer.frames();
  expect([first?.payload.readUInt32BE(0), second?.type]).toEqual([2 ** 31 - 1, 6]);
  peer.send(get(3), rawFrame(6, 1, 0, second?.payload ?? []));
  expect(peer.sent()).toEqual(["GOAWAY last 3 code 0"]);
  peer.send(get(5), post(7), data(7, "lost"));
  expect(peer.sent()).toEqual([]);
  expect(peer.calls.filter((call) => call.startsWith("request")).length).toBe(2);
  expect(peer.connection.isDrained).toBe(false);
  answerAll(peer);
  expect(peer.connection.isDrained).toBe(true);
});

test("a drain without streams is over with the second GOAWAY", () => {
  const peer = new ScriptedPeer("server");
  peer.connection.drain();
  peer.connection.drain();
  const pong = pongOf(peer);
  expect(peer.connection.isDrained).toBe(false);
  peer.send(pong);
  expect([peer.sent(), peer.connection.isDrained]).toEqual([["GOAWAY last 0 code 0"], true]);
});

test("an answer to a PING that was not sent concludes no drain", () => {
  const peer = new ScriptedPeer("server");
  peer.send(ping(2, 1));
  peer.connection.drain();
  peer.frames();
  peer.send(ping(0, 1), ping(1, 1), ping(9, 1));
  expect([peer.sent(), peer.connection.isDrained]).toEqual([[], false]);
});

test("the last stream of a GOAWAY never rises: a failure after the drain names no stream that was refused", () => {
  const peer = new ScriptedPeer("server");
  peer.send(get(1));
  peer.connection.drain();
  peer.send(pongOf(peer), get(3));
  peer.frames();
  peer.connection.fail(new Http2ConnectionError(ERROR_CODE.internalError, "x"));
  expect(peer.sent()).toEqual(["GOAWAY last 1 code 2"]);
});

test("a client that drains opens no more, and its streams go on", () => {
  const peer = new ScriptedPeer("client");
  peer.open(GET, true);
  peer.frames();
  peer.connection.drain();
  expect(peer.connection.room).toBe(0);
  peer.send(pongOf(peer), headers(1, OK, true));
  expect([peer.calls.slice(0, 2), peer.connection.isDrained]).toEqual([["response 1 200", "end 1"], true]);
});

test("H2-44: after a server's GOAWAY a client opens no more, and is done with its last stream", () => {
  const peer = new ScriptedPeer("client");
  for (let index = 0; index < 3; index++) peer.open(GET, true);
  peer.send(goAway(2 ** 31 - 1));
  expect([peer.connection.room, peer.connection.openStreams]).toEqual([0, 3]);
  peer.send(goAway(3));
  expect(peer.calls).toEqual(["goaway 2147483647 0", "closed 5", "reset 5 7", "goaway 3 0"]);
  peer.send(headers(1, OK, true));
  expect(peer.connection.isDrained).toBe(false);
  peer.send(headers(3, OK, true));
  expect(peer.connection.isDrained).toBe(true);
});

test("a client's GOAWAY leaves its streams at the server alone", () => {
  const peer = new ScriptedPeer("server");
  peer.send(get(1), goAway(0));
  peer.stream(1).sendHead(section(OK), true);
  expect(peer.sent()).toEqual(["HEADERS 1 END_STREAM"]);
  expect(peer.connection.isDrained).toBe(false);
});

test("after a failure nothing is taken, nothing is sent, and every stream was told", () => {
  const peer = new ScriptedPeer("server");
  peer.send(post(1), data(1, 60_000 % 16_384), post(3));
  peer.connection.fail(new Http2ConnectionError(ERROR_CODE.internalError, "x"));
  expect(peer.sent()).toEqual(["GOAWAY last 3 code 2"]);
  expect(peer.calls.slice(-4)).toEqual(["closed 1", "reset 1 2", "closed 3", "reset 3 2"]);
  const { length } = peer.calls;
  peer.send(get(5), ping());
  peer.stream(1).consumed(60_000);
  peer.stream(1).write(Uint8Array.of(1));
  peer.stream(1).end();
  peer.stream(3).reset(1);
  peer.connection.ping();
  peer.connection.drain();
  peer.connection.pump();
  peer.connection.lost("gone");
  expect([peer.sent(), peer.calls.length]).toEqual([[], length]);
});

test("where the transport is lost, streams are told and nothing is sent", () => {
  const peer = new ScriptedPeer("client");
  peer.open(GET);
  peer.frames();
  peer.connection.lost("gone");
  expect([peer.calls, peer.sent(), peer.connection.room]).toEqual([["closed 1", "reset 1 8"], [], 0]);
});
