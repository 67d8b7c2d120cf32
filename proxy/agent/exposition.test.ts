import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readExposition } from "../testing/read-exposition.ts";
import { formatExposition, type MetricFamily } from "./exposition.ts";

test("a metric is its help, its type, and a line for each series", () => {
  const family: MetricFamily = {
    name: "heddle_things_total",
    type: "counter",
    help: "Things.",
    samples: [
      { labels: {}, value: 1 },
      { labels: { pod: "web", node: "n-1" }, value: 2.5 },
    ],
  };
  expect(formatExposition([family])).toBe(`# HELP heddle_things_total Things.
# TYPE heddle_things_total counter
heddle_things_total 1
heddle_things_total{pod="web",node="n-1"} 2.5
`);
});

test("a histogram is a line for each bucket with all that is below it, the sum and the count", () => {
  const family: MetricFamily = {
    name: "heddle_things_bytes",
    type: "histogram",
    help: "Things.",
    bounds: [0.5, 10],
    samples: [
      { labels: {}, counts: [0, 0, 0], sum: 0 },
      { labels: { pod: "web" }, counts: [1, 4, 2], sum: 70.25 },
    ],
  };
  expect(formatExposition([family])).toBe(`# HELP heddle_things_bytes Things.
# TYPE heddle_things_bytes histogram
heddle_things_bytes_bucket{le="0.5"} 0
heddle_things_bytes_bucket{le="10"} 0
heddle_things_bytes_bucket{le="+Inf"} 0
heddle_things_bytes_sum 0
heddle_things_bytes_count 0
heddle_things_bytes_bucket{pod="web",le="0.5"} 1
heddle_things_bytes_bucket{pod="web",le="10"} 5
heddle_things_bytes_bucket{pod="web",le="+Inf"} 7
heddle_things_bytes_sum{pod="web"} 70.25
heddle_things_bytes_count{pod="web"} 7
`);
});

test("a label value cannot end the lines of a histogram either", () => {
  const pod = 'web"} 1\nheddle_forged_total{a="\\';
  const text = formatExposition([
    { name: "a", type: "histogram", help: "A.", bounds: [1], samples: [{ labels: { pod }, counts: [1, 1], sum: 3 }] },
  ]);
  expect(readExposition(text)).toEqual([
    { name: "a_bucket", labels: { pod, le: "1" }, value: 1 },
    { name: "a_bucket", labels: { pod, le: "+Inf" }, value: 2 },
    { name: "a_sum", labels: { pod }, value: 3 },
    { name: "a_count", labels: { pod }, value: 2 },
  ]);
});

test("a label value cannot end its line or its quotes, whatever a worker made of it", () => {
  const value = 'web"} 1\nheddle_forged_total{a="\\';
  const text = formatExposition([
    { name: "a_total", type: "counter", help: "A.", samples: [{ labels: { pod: value }, value: 1 }] },
  ]);
  expect(text.split("\n").length).toBe(4);
  expect(readExposition(text)).toEqual([{ name: "a_total", labels: { pod: value }, value: 1 }]);
});

test("what is written reads back, any text as label value and any count", () => {
  const labels = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_]{0,10}$/), fc.string({ unit: "grapheme" }), {
    maxKeys: 3,
  });
  const samples = fc.uniqueArray(fc.record({ labels, value: fc.maxSafeNat() }), {
    selector: ({ labels }) => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))),
    maxLength: 5,
  });
  const family = fc.record({
    name: fc.stringMatching(/^[a-z]{1,10}_total$/),
    type: fc.constantFrom("counter" as const, "gauge" as const),
    help: fc.constant("Help."),
    samples,
  });
  const families = fc.uniqueArray(family, { selector: ({ name }) => name, minLength: 1, maxLength: 4 });
  const property = fc.property(families, (given) => {
    const wanted = given.flatMap(({ name, samples }) => samples.map((sample) => ({ name, ...sample })));
    expect(readExposition(formatExposition(given))).toEqual(wanted);
  });
  fc.assert(property);
});
