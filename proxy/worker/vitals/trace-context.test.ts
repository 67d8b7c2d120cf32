import * as fc from "fast-check";
import { expect, test } from "vitest";
import { newField } from "#mesh/routes/field.ts";
import { requestTraceId } from "./trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const W3C = `00-${TRACE}-${SPAN}-01`;
const OTHER = "a3ce929d0e0e4736a3ce929d0e0e4736";
const REQUEST_ID = "5f0c6d8e-1234-4abc-8def-0123456789ab";
const OWN = "5f0c6d8e12344abc8def0123456789ab";

const traceIdWith = (fields: readonly (readonly [string, string])[], requestId = REQUEST_ID): string =>
  requestTraceId(
    fields.map(([name, value]) => newField(name, value)),
    requestId,
  );

test.each<[string, readonly (readonly [string, string])[]]>([
  ["W3C's", [["traceparent", W3C]]],
  ["W3C's, not sampled", [["traceparent", `00-${TRACE}-${SPAN}-00`]]],
  ["W3C's of a higher version", [["traceparent", `01-${TRACE}-${SPAN}-01-more`]]],
  ["W3C's in any case of the name", [["TraceParent", W3C]]],
  [
    "W3C's beside B3",
    [
      ["b3", `${OTHER}-${SPAN}-1`],
      ["x-b3-traceid", OTHER],
      ["traceparent", W3C],
    ],
  ],
  ["B3's", [["b3", `${TRACE}-${SPAN}`]]],
  ["B3's with sampling", [["b3", `${TRACE}-${SPAN}-d`]]],
  ["B3's with a parent", [["b3", `${TRACE}-${SPAN}-0-${SPAN}`]]],
  ["B3's in several fields", [["X-B3-TraceId", TRACE]]],
  [
    "B3's single field beside several",
    [
      ["x-b3-traceid", OTHER],
      ["b3", `${TRACE}-${SPAN}-1`],
    ],
  ],
  [
    "the first of B3's several",
    [
      ["x-b3-traceid", TRACE],
      ["x-b3-traceid", OTHER],
    ],
  ],
  [
    "B3's beside a traceparent that is none",
    [
      ["traceparent", "00-0-0-0"],
      ["b3", `${TRACE}-${SPAN}`],
    ],
  ],
])("the trace of an application goes on: %s", (_, fields) => {
  expect(traceIdWith(fields)).toBe(TRACE);
});

test("a trace id of 64 bits is filled up with zeros", () => {
  expect(traceIdWith([["x-b3-traceid", SPAN]])).toBe(`0000000000000000${SPAN}`);
  expect(traceIdWith([["b3", `${SPAN}-${SPAN}`]])).toBe(`0000000000000000${SPAN}`);
});

test.each<[string, readonly (readonly [string, string])[]]>([
  ["none", []],
  ["an empty one", [["traceparent", ""]]],
  ["one without flags", [["traceparent", `00-${TRACE}-${SPAN}`]]],
  ["one of version ff", [["traceparent", `ff-${TRACE}-${SPAN}-01`]]],
  ["one in upper case", [["traceparent", W3C.toUpperCase()]]],
  ["one of zeros", [["traceparent", `00-${"0".repeat(32)}-${SPAN}-01`]]],
  ["one with a parent of zeros", [["traceparent", `00-${TRACE}-${"0".repeat(16)}-01`]]],
  [
    "two of them",
    [
      ["traceparent", W3C],
      ["traceparent", W3C],
    ],
  ],
  [
    "two of them, the first of which could go on",
    [
      ["traceparent", `01-${TRACE}-${SPAN}-01-more`],
      ["traceparent", W3C],
    ],
  ],
  ["two of them in one field", [["traceparent", `${W3C},${W3C}`]]],
  ["a field with another name", [["x-traceparent", W3C]]],
  ["B3 that only denies", [["b3", "0"]]],
  ["B3 of another length", [["b3", `${TRACE}00-${SPAN}`]]],
  ["B3 of zeros", [["b3", `${"0".repeat(32)}-${SPAN}`]]],
  ["B3 in upper case", [["x-b3-traceid", TRACE.toUpperCase()]]],
  ["several fields of B3 that are none", [["x-b3-traceid", "x"]]],
])("where an application says %s, the request's own id serves", (_, fields) => {
  expect(traceIdWith(fields)).toBe(OWN);
});

test.each(["", "x", OWN, REQUEST_ID.toUpperCase(), `${REQUEST_ID}-`, "00000000-0000-0000-0000-000000000000"])(
  "where the request id is no UUID (%j) the trace begins anew",
  (requestId) => {
    const [one, other] = [traceIdWith([], requestId), traceIdWith([], requestId)];
    expect([one, other].every((id) => /^[0-9a-f]{32}$/.test(id) && id !== OWN)).toBe(true);
    expect(one).not.toBe(other);
  },
);

test("whatever stands in the fields, the id is one that a line of the log and a tunnel may have", () => {
  const name = fc.constantFrom("traceparent", "b3", "x-b3-traceid", "TRACEPARENT", "x");
  const piece = fc.constantFrom("00", "01", "-", TRACE, SPAN, "0".repeat(32), "g", "\u009b", "\n", ",");
  const value = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), value, (fields, requestId) => {
      expect(traceIdWith(fields, requestId)).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
    }),
    { numRuns: 1_000 },
  );
});
