import { expect, test } from "vitest";
import { ClosedStreams } from "./closed-streams.ts";
import { data, get, headers, post, rst, windowUpdate } from "./testing/raw-frames.ts";
import { ScriptedPeer } from "./testing/scripted-peer.ts";

test("the last way in which a stream was closed is the one that counts", () => {
  const closed = new ClosedStreams();
  closed.add(1, "reset-by-peer");
  closed.add(3, "ended");
  closed.add(1, "reset-by-us");
  expect([1, 3, 5].map((id) => closed.stateOf(id))).toEqual(["reset-by-us", "ended", "skipped"]);
});

test("the last 256 are remembered; what is older may have been anything", () => {
  const closed = new ClosedStreams();
  for (let index = 0; index < 300; index++) closed.add(2 * index + 1, "reset-by-us");
  expect([1, 87, 89, 599].map((id) => closed.stateOf(id))).toEqual([
    "forgotten",
    "forgotten",
    "reset-by-us",
    "reset-by-us",
  ]);
});

test("an answer that was under way when 300 requests were reset at once costs its stream, not the connection", () => {
  const peer = new ScriptedPeer("client");
  for (let index = 0; index < 300; index++) peer.open([[":method", "GET"]]).reset(8);
  peer.sent();
  peer.send(headers(1, [[":status", "200"]]), data(1, "x"));
  expect(peer.sent()).toEqual(["RST_STREAM 1 code 5"]);
  expect(peer.connection.failure).toBeUndefined();
});

test("DATA on a stream that the peer reset resets it once", () => {
  const peer = new ScriptedPeer("server");
  peer.send(post(1), rst(1), data(1, "x"), data(1, "y"), windowUpdate(1, 1));
  expect(peer.sent()).toEqual(["RST_STREAM 1 code 5"]);
});

test("a request on a number that was used before ends the connection", () => {
  const peer = new ScriptedPeer("server", {
    onEnd: (stream) => stream.sendHead([{ name: ":status", value: "200", isNeverIndexed: false }], true),
  });
  peer.send(get(1), get(1));
  expect(peer.connection.failure?.code).toBe(5);
});
