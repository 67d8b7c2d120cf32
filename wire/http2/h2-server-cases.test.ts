import { expect, test } from "vitest";
import { CONNECT_CASES } from "./testing/connect-cases.ts";
import { FIELD_BLOCK_CASES } from "./testing/field-block-cases.ts";
import { FRAME_CASES } from "./testing/frame-cases.ts";
import { GET, headers, post } from "./testing/raw-frames.ts";
import { REQUEST_CASES } from "./testing/request-cases.ts";
import { ScriptedPeer } from "./testing/scripted-peer.ts";
import { testLimits } from "./testing/test-limits.ts";

// The cases H2-xx that the codec decides, where it is the server. Floods are in flood-guard.test.ts; H2-20 to H2-23 in
// flow-control.test.ts; H2-44 and H2-45 in drain.test.ts; H2-06 in the transport's tests.

const CASES = [...FRAME_CASES, ...FIELD_BLOCK_CASES, ...REQUEST_CASES, ...CONNECT_CASES];

test.each(CASES)("$id $what (RFC 9113 section $rule)", ({ sent, calls, answer }) => {
  const peer = new ScriptedPeer("server");
  peer.send(...sent);
  if (calls) expect(peer.calls).toEqual(calls);
  expect(peer.sent()).toEqual(answer);
  expect(peer.connection.failure !== undefined).toBe(answer.some((frame) => frame.startsWith("GOAWAY")));
});

test("H2-42: extended CONNECT is malformed where our SETTINGS do not allow it (RFC 8441 section 4)", () => {
  const peer = new ScriptedPeer("server", { limits: testLimits({}, { enableConnectProtocol: false }) });
  peer.send(headers(1, [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)]));
  expect([peer.calls, peer.sent()]).toEqual([[], ["RST_STREAM 1 code 1"]]);
});

test("H2-03: streams that were refused are not open", () => {
  const peer = new ScriptedPeer("server");
  for (let index = 0; index < 103; index++) peer.send(post(1 + 2 * index));
  expect(peer.connection.openStreams).toBe(100);
});

test("H2-50: bytes of HTTP/1.1 end the connection at the first one that is another", () => {
  const peer = new ScriptedPeer("server", { isGreeted: false });
  peer.send(Buffer.from("PRI * HTTP/1"));
  expect(peer.connection.failure?.code).toBe(1);
});
