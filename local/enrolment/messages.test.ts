import { expect, test } from "vitest";
import { encodeRequest, parseReply } from "./messages.ts";

test("a request is one line of JSON with the version", () => {
  expect(encodeRequest({ kind: "drain", uid: "u1" })).toBe('{"version":1,"kind":"drain","uid":"u1"}\n');
});

test.each([
  ['{"version":1,"kind":"enrolled","uid":"u1"}', { kind: "enrolled", uid: "u1" }],
  ['{"version":1,"kind":"refused","uid":"u1","reason":"no"}', { kind: "refused", uid: "u1", reason: "no" }],
  ['{"version":1,"kind":"refused","uid":"u1"}', { kind: "refused", uid: "u1", reason: "no reason given" }],
  ['{"version":1,"kind":"completed"}', { kind: "completed" }],
  ['{"version":1,"kind":"status","pid":7}', { kind: "status", pid: 7, draining: undefined }],
  [
    '{"version":1,"kind":"status","pid":7,"draining":{"pid":5,"connections":1,"endsInMs":20}}',
    { kind: "status", pid: 7, draining: { pid: 5, connections: 1, endsInMs: 20 } },
  ],
  ['{"version":1,"kind":"status"}', undefined],
  ['{"version":2,"kind":"enrolled","uid":"u1"}', undefined],
  ['{"version":1,"kind":"enrolled"}', undefined],
  ['{"version":1,"kind":"error","reason":"no"}', undefined],
  ["{ half", undefined],
  ["null", undefined],
])("%s is read as %j", (line, reply) => {
  expect(parseReply(line)).toEqual(reply);
});
