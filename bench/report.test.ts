import { expect, test } from "vitest";
import { formatMemory, formatMetrics } from "./report.ts";
import { Results } from "./results.ts";

const WAYS = ["direct", "haproxy", "heddle"];

/** What the table says of one metric, column by column. */
const row = (
  metric: string,
  haproxy: readonly number[],
  heddle: readonly number[],
  title: string,
): readonly string[] => {
  const results = new Results(Math.max(haproxy.length, heddle.length));
  for (const [round, value] of haproxy.entries()) results.add(round, "haproxy", { [metric]: value });
  for (const [round, value] of heddle.entries()) results.add(round, "heddle", { [metric]: value });
  const line = formatMetrics(results, WAYS)
    .split("\n")
    .find((each) => each.startsWith(title));
  return line?.split(/ {2,}/) ?? [];
};

test("a line has the median and the spread of each way, the ratio round by round, and the budget", () => {
  const columns = row("request-cpu-16", [40, 50, 45], [20, 30, 36], "CPU for a request, 16 kept");
  expect(columns.slice(1)).toEqual([
    "us",
    "-",
    "45.0 (40.0..50.0)",
    "30.0 (20.0..36.0)",
    "0.60 (0.50..0.80)",
    "<= 0.7",
    "met",
  ]);
});

test.each([
  ["a ratio at most", "p50-1", [100], [101], "latency p50, 1 kept", "<= 1", "not met"],
  ["a ratio just met", "p50-1", [100], [100], "latency p50, 1 kept", "<= 1", "met"],
  ["a ratio at least", "bulk", [4], [1.9], "bulk", ">= 0.5", "not met"],
  ["a ratio at least, met", "bulk", [4], [2], "bulk", ">= 0.5", "met"],
  ["a value, whatever the yardstick needs", "idle-connection", [1], [21], "idle connection", "<= 20 KiB", "not met"],
  ["nothing to compare with", "bulk", [], [2], "bulk", ">= 0.5", "not measured"],
])("a budget is judged: %s", (_, metric, haproxy, heddle, title, limit, verdict) => {
  expect(row(metric, haproxy, heddle, title).slice(-2)).toEqual([limit, verdict]);
});

test("what was not measured at all has no line", () => {
  expect(row("bulk", [1], [1], "latency")).toEqual([]);
});

test("the processes of a node are summed and judged, those of others are not", () => {
  const process = (way: string, label: string, idleMib: number) =>
    ({ way, label, side: "client", idleKib: idleMib * 1024, loadedKib: idleMib * 2048 }) as const;
  const text = formatMemory([
    process("haproxy", "haproxy at the client", 500),
    process("heddle", "node-1 supervisor", 100),
    process("heddle", "node-1 worker", 71),
  ]);
  const lines = text.split("\n").map((line) => line.split(/ {2,}/));
  expect(lines.slice(1)).toEqual([
    ["haproxy at the client", "500.0", "1000.0"],
    ["node-1 supervisor", "100.0", "200.0"],
    ["node-1 worker", "71.0", "142.0"],
    ["heddle, node of the client", "171.0", "342.0", "<= 170 idle", "not met"],
  ]);
});

test("memory that may not be read is not judged", () => {
  const text = formatMemory([
    { way: "heddle", label: "node-1 worker", side: "client", idleKib: undefined, loadedKib: undefined },
  ]);
  expect(text).toContain("not measured");
});
