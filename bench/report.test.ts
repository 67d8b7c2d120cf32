import { expect, test } from "vitest";
import { compare, type Comparison } from "./comparison.ts";
import { formatComparisons, formatMemory, formatMetrics } from "./report.ts";
import { Results } from "./results.ts";

const WAYS = ["direct", "haproxy", "heddle", "heddle-l4"];

const L7: Comparison = {
  subject: "heddle",
  yardstick: "haproxy",
  budgets: { "p50-1": { kind: "ratio", atMost: 1 }, bulk: { kind: "ratio", atLeast: 0.5 } },
};
const L4: Comparison = {
  subject: "heddle-l4",
  yardstick: "haproxy",
  budgets: { "p50-1": { kind: "ratio", atMost: 1.1 }, "idle-connection": { kind: "value", atMost: 20 } },
};

/** Values of one metric by way, round by round. */
const measured = (metric: string, values: Readonly<Record<string, readonly number[]>>): Results => {
  const results = new Results(3);
  for (const [way, rounds] of Object.entries(values)) {
    for (const [round, value] of rounds.entries()) results.add(round, way, { [metric]: value });
  }
  return results;
};

const lines = (text: string): readonly (readonly string[])[] => text.split("\n").map((line) => line.split(/ {2,}/));

test("a line has the median and the spread of each way", () => {
  const results = measured("request-cpu-16", { haproxy: [40, 50, 45], heddle: [20, 30, 36] });
  expect(lines(formatMetrics(results, WAYS)).slice(1)).toEqual([
    ["CPU for a request, 16 kept", "us", "-", "45.0 (40.0..50.0)", "30.0 (20.0..36.0)", "-"],
  ]);
});

test("each subject has its ratio, made round by round, and its own budget", () => {
  const results = measured("p50-1", { haproxy: [100, 200, 100], heddle: [50, 220, 104], "heddle-l4": [50, 220, 104] });
  const text = formatComparisons([compare(results, L7), compare(results, L4)]);
  expect(lines(text).slice(1, 2)).toEqual([
    ["latency p50, 1 kept", "1.04 (0.50..1.10)", "<= 1", "not met", "1.04 (0.50..1.10)", "<= 1.1", "met"],
  ]);
});

test.each([
  ["a ratio at most", L7, "p50-1", [100], [101], "not met"],
  ["a ratio just met", L7, "p50-1", [100], [100], "met"],
  ["a ratio at least", L7, "bulk", [4], [1.9], "not met"],
  ["a ratio at least, met", L7, "bulk", [4], [2], "met"],
  ["a value, whatever the yardstick needs", L4, "idle-connection", [1], [21], "not met"],
  ["nothing to compare with", L7, "bulk", [], [2], "not measured"],
])("a budget is judged: %s", (_, comparison, metric, yardstick, subject, verdict) => {
  const results = measured(metric, { haproxy: yardstick, [comparison.subject]: subject });
  const { findings } = compare(results, comparison);
  expect(findings.find((finding) => finding.metric === metric)?.judgement?.verdict).toBe(verdict);
});

test("a value that is judged as such stands in place of the ratio, with its unit in the budget", () => {
  const results = measured("idle-connection", { haproxy: [1], "heddle-l4": [21] });
  const found = lines(formatComparisons([compare(results, L4)])).find(([title]) => title?.startsWith("idle"));
  expect(found).toEqual(["idle connection, both nodes", "21.0", "<= 20 KiB", "not met"]);
});

test("what was not measured at all has no line", () => {
  expect(formatMetrics(measured("bulk", { haproxy: [1] }), WAYS)).not.toContain("latency");
});

test("the processes of a node are summed and judged, those of others are not", () => {
  const process = (carrier: string, label: string, idleMib: number) =>
    ({ carrier, label, side: "client", idleKib: idleMib * 1024, loadedKib: idleMib * 2048 }) as const;
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
    { carrier: "heddle", label: "node-1 worker", side: "client", idleKib: undefined, loadedKib: undefined },
  ]);
  expect(text).toContain("not measured");
});
