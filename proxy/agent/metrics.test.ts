import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { WorkerMetric } from "../channel/worker-metrics.ts";
import type { Labels, Series } from "../channel/worker-report.ts";
import { MergedCounters } from "./metrics.ts";

const OPENED = "istio_tcp_connections_opened_total";
const CLOSED = "istio_tcp_connections_closed_total";
const SENT = "istio_tcp_sent_bytes_total";

const series = (id: number, metric: WorkerMetric = SENT, labels: Labels = { pod: "web" }): Series => ({
  id,
  metric,
  labels,
});

/** What an exposition would say. */
const totalsOf = (counters: MergedCounters, wanted: WorkerMetric = SENT): readonly (readonly [Labels, number])[] =>
  [...counters.totals()].filter(({ metric }) => metric === wanted).map(({ labels, total }) => [labels, total]);
const totalOf = (counters: MergedCounters, metric: WorkerMetric = SENT): number =>
  totalsOf(counters, metric).reduce((sum, [, total]) => sum + total, 0);

test("the same series of several workers is one, with the sum", () => {
  const counters = new MergedCounters();
  counters.report("a", [series(1)], [[1, 10]]);
  counters.report("b", [series(7)], [[7, 5]]);
  expect(totalsOf(counters)).toEqual([[{ pod: "web" }, 15]]);
});

test("series that differ in a label or in the metric are kept apart", () => {
  const counters = new MergedCounters();
  counters.report(
    "a",
    [series(1), series(2, SENT, { pod: "cart" }), series(3, OPENED)],
    [
      [1, 1],
      [2, 2],
      [3, 3],
    ],
  );
  expect(totalsOf(counters)).toEqual([
    [{ pod: "web" }, 1],
    [{ pod: "cart" }, 2],
  ]);
  expect(totalOf(counters, OPENED)).toBe(3);
});

test("labels in another order are the same series", () => {
  const counters = new MergedCounters();
  counters.report("a", [series(1, SENT, { pod: "web", node: "n" })], [[1, 1]]);
  counters.report("b", [series(1, SENT, { node: "n", pod: "web" })], [[1, 1]]);
  expect(totalsOf(counters)).toEqual([[{ pod: "web", node: "n" }, 2]]);
});

test("a report that comes twice counts once, and one that was lost is made up by the next", () => {
  const counters = new MergedCounters();
  counters.report("a", [series(1)], [[1, 10]]);
  counters.report("a", [series(1)], [[1, 10]]);
  counters.report("a", [], [[1, 30]]);
  expect(totalOf(counters)).toBe(30);
});

test("what a dead worker counted stays, and its successor counts on from there", () => {
  const counters = new MergedCounters();
  counters.report("first life", [series(1)], [[1, 10]]);
  counters.workerGone("first life");
  expect(totalOf(counters)).toBe(10);
  counters.report("second life", [series(1)], [[1, 3]]);
  expect(totalOf(counters)).toBe(13);
});

test("a worker that is gone for a second time changes nothing", () => {
  const counters = new MergedCounters();
  counters.report("a", [series(1, OPENED)], [[1, 10]]);
  expect([counters.workerGone("a"), counters.workerGone("a"), counters.workerGone("never seen")]).toEqual([10, 0, 0]);
  expect(totalOf(counters, CLOSED)).toBe(10);
});

test("nothing is taken back: a worker that counts down is not believed, and counts on from its highest", () => {
  const counters = new MergedCounters();
  counters.report("a", [series(1)], [[1, 10]]);
  counters.report("a", [], [[1, 4]]);
  expect(totalOf(counters)).toBe(10);
  counters.report("a", [], [[1, 11]]);
  expect(totalOf(counters)).toBe(11);
});

test("a number that was never named counts nowhere, and a number keeps the series that it was given first", () => {
  const counters = new MergedCounters();
  counters.report(
    "a",
    [series(1)],
    [
      [1, 1],
      [9, 100],
    ],
  );
  counters.report("a", [series(1, SENT, { pod: "cart" })], [[1, 2]]);
  expect(totalsOf(counters)).toEqual([[{ pod: "web" }, 2]]);
});

test("numbers of one worker mean nothing for another", () => {
  const counters = new MergedCounters();
  counters.report("a", [series(1)], [[1, 1]]);
  counters.report("b", [], [[1, 100]]);
  expect(totalOf(counters)).toBe(1);
});

test("what a worker has open is what it opened less what it closed, whatever flags the ends have", () => {
  const counters = new MergedCounters();
  const labels = { pod: "web", response_flags: "-" };
  counters.report(
    "a",
    [series(1, OPENED, labels), series(2, CLOSED, labels)],
    [
      [1, 10],
      [2, 4],
    ],
  );
  counters.report("a", [series(3, CLOSED, { pod: "web", response_flags: "CONNECTION_TERMINATED" })], [[3, 1]]);
  counters.report("b", [series(1, OPENED, labels)], [[1, 100]]);
  expect([counters.openConnections("a"), counters.openConnections("b"), counters.openConnections("c")]).toEqual([
    5, 100, 0,
  ]);
});

test("labels that come in another order at the end of a connection than at its beginning are the same connection's", () => {
  const counters = new MergedCounters();
  counters.report(
    "a",
    [series(1, OPENED, { pod: "web", node: "n" }), series(2, CLOSED, { node: "n", pod: "web" })],
    [
      [1, 10],
      [2, 10],
    ],
  );
  expect([counters.openConnections("a"), counters.workerGone("a")]).toEqual([0, 0]);
});

test("connections that end with their worker are closed by a flag of their own, so that opened and closed stay even", () => {
  const counters = new MergedCounters();
  const labels = { pod: "web", response_flags: "-" };
  counters.report(
    "a",
    [series(1, OPENED, labels), series(2, CLOSED, labels)],
    [
      [1, 10],
      [2, 4],
    ],
  );
  expect(counters.workerGone("a")).toBe(6);
  expect(totalsOf(counters, CLOSED)).toEqual([
    [labels, 4],
    [{ pod: "web", response_flags: "WORKER_LOST" }, 6],
  ]);
  expect([totalOf(counters, OPENED), totalOf(counters, CLOSED)]).toEqual([10, 10]);
});

test("series beyond 50,000 are counted together, and say so; nothing that was counted is lost", () => {
  const counters = new MergedCounters();
  for (let life = 0; life < 6; life++) {
    const many = Array.from({ length: 10_000 }, (_, id) => series(id, SENT, { pod: `${life}-${id}` }));
    counters.report(
      String(life),
      many,
      many.map(({ id }) => [id, 1] as const),
    );
  }
  const totals = totalsOf(counters);
  expect(totals.length).toBe(50_001);
  expect(totals.at(-1)).toEqual([{ overflow: "true" }, 10_000]);
  expect(totalOf(counters)).toBe(60_000);
});

test("no series goes down, and all that lives counted is there once, whatever workers do and however often they die", () => {
  const step = fc.record({
    worker: fc.nat(2),
    act: fc.constantFrom("count", "count", "count", "repeat", "die"),
    id: fc.nat(3),
    more: fc.nat(5),
  });
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const counters = new MergedCounters();
    const lives = [0, 0, 0];
    const own = new Map<string, number>();
    let expected = 0;
    let before = new Map<string, number>();
    for (const { worker, act, id, more } of steps) {
      const life = `${worker}.${lives[worker]}`;
      const counted = own.get(`${life} ${id}`) ?? 0;
      const now = act === "count" ? counted + more : counted;
      if (act === "die") {
        counters.workerGone(life);
        lives[worker] = (lives[worker] ?? 0) + 1;
      } else {
        own.set(`${life} ${id}`, now);
        expected += now - counted;
        counters.report(life, [series(id, SENT, { pod: `pod-${id}` })], [[id, now]]);
      }
      const after = new Map(totalsOf(counters).map(([labels, total]) => [JSON.stringify(labels), total]));
      for (const [name, total] of before) expect(after.get(name)).toBeGreaterThanOrEqual(total);
      before = after;
    }
    expect(totalOf(counters)).toBe(expected);
  });
  fc.assert(property);
});

test("texts that differ only in what is no text are one series: they would be written the same", () => {
  const counters = new MergedCounters();
  counters.report(
    "a",
    [series(1, SENT, { pod: "\ud800" }), series(2, SENT, { pod: "\ud801" })],
    [
      [1, 1],
      [2, 1],
    ],
  );
  expect(totalsOf(counters)).toEqual([[{ pod: "\ufffd" }, 2]]);
});
