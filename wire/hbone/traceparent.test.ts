import { expect, test } from "vitest";
import { formatTraceParent, parseTraceParent } from "./traceparent.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";

test("what is written is 55 characters long and read again", () => {
  const header = formatTraceParent({ traceId, parentId });
  expect(header).toHaveLength(55);
  expect(parseTraceParent(header)).toEqual({ traceId, parentId });
});

// W3C Trace Context, sections 3.2 and 4.3.
test.each([
  ["an unknown flag", `00-${traceId}-${parentId}-ff`, true],
  ["a higher version with more", `cc-${traceId}-${parentId}-01-more`, true],
  ["version 00 with more", `00-${traceId}-${parentId}-01-more`, false],
  ["a higher version glued to more", `cc-${traceId}-${parentId}-01more`, false],
  ["version ff", `ff-${traceId}-${parentId}-01`, false],
  ["upper case", `00-${traceId.toUpperCase()}-${parentId}-01`, false],
  ["a zero trace id", `00-${"0".repeat(32)}-${parentId}-01`, false],
  ["a zero parent id", `00-${traceId}-${"0".repeat(16)}-01`, false],
  ["nothing", "", false],
])("%s: %s", (_, header, isValid) => {
  expect(parseTraceParent(header) !== undefined).toBe(isValid);
});
