import { expect, test } from "vitest";
import { GET, ping } from "./testing/raw-frames.ts";
import { RESPONSE_CASES } from "./testing/response-cases.ts";
import { ScriptedPeer } from "./testing/scripted-peer.ts";

// The cases H2-xx, and those of H1 that say how an upstream's answer is read, that the codec decides where it is the client.

test.each(RESPONSE_CASES)("$id $what (RFC 9113 section $rule)", ({ asked = GET, sent, calls, answer }) => {
  const peer = new ScriptedPeer("client");
  peer.open(asked);
  peer.sent();
  peer.send(...sent);
  if (calls) expect(peer.calls).toEqual(calls);
  expect(peer.sent()).toEqual(answer);
  expect(peer.connection.failure !== undefined).toBe(answer.some((frame) => frame.startsWith("GOAWAY")));
});

test("H2-50: a first frame other than SETTINGS ends the connection (RFC 9113 section 3.4)", () => {
  const peer = new ScriptedPeer("client", { isGreeted: false });
  peer.send(ping());
  expect(peer.connection.failure?.code).toBe(1);
});
