import { expect, test, vi } from "vitest";
import { HISTOGRAM_BOUNDS, WORKER_HISTOGRAMS, WORKER_METRICS } from "../channel/worker-metrics.ts";
import type { Labels } from "../channel/worker-report.ts";
import { readExposition } from "../testing/read-exposition.ts";
import { enrolledPod, type FakeWorker, runningAgent } from "../testing/running-agent.ts";
import { formatExposition } from "./exposition.ts";
import { nodeMetrics } from "./node-metrics.ts";

type Running = Awaited<ReturnType<typeof runningAgent>>;

const samples = ({ agent }: Running) => readExposition(formatExposition(nodeMetrics(agent)));

/** The value of the one sample with this name and these labels; undefined if there is none. */
const value = (running: Running, name: string, labels: Labels = {}): number | undefined => {
  const found = samples(running).filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, text]) => sample.labels[key] === text),
  );
  expect(found.length).toBeLessThan(2);
  return found[0]?.value;
};

/** A worker says how many connections it opened. */
const opened = (worker: FakeWorker, total: number, labels: Labels = { app: "web" }): void =>
  worker.report({
    kind: "counters",
    series: [{ id: 1, metric: "istio_tcp_connections_opened_total", labels }],
    totals: [[1, total]],
  });

test("everything is valid for Prometheus, in the order of the names, before anything has happened and after", async () => {
  const running = await runningAgent();
  samples(running);
  running.respond("trust-bundle", [running.bundle]);
  running.supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  opened(running.worker(0), 1, { app: 'we"b\n\\', dest: "\ud800" });
  opened(running.worker(1), 1, { dest: "\ud801", app: 'we"b\n\\' });
  await vi.waitFor(() => expect(value(running, "istio_tcp_connections_opened_total")).toBe(2));
  const names = samples(running).map(({ name }) => name);
  expect(names).toEqual(names.toSorted());
});

test("every counter of the workers has its help, and a name that ends as a counter's, and no histogram has", () => {
  for (const [name, help] of Object.entries(WORKER_HISTOGRAMS)) {
    expect(name).toMatch(/_(?:milliseconds|bytes)$/);
    expect(help).toMatch(/^[A-Z][^\n]+\.$/);
  }
  for (const [name, help] of Object.entries(WORKER_METRICS)) {
    expect(name).toMatch(/_total$/);
    expect(help).toMatch(/^[A-Z][^\n]+\.$/);
  }
});

test("counters are added up over the workers, and stay when one dies", async () => {
  const running = await runningAgent();
  opened(running.worker(0), 5);
  opened(running.worker(1), 2);
  await vi.waitFor(() => expect(value(running, "istio_tcp_connections_opened_total", { app: "web" })).toBe(7));
  expect(value(running, "heddle_worker_open_connections", { worker: "0" })).toBe(5);
  running.supervisor({ kind: "worker-gone", startId: "start-0", reason: "SIGKILL" });
  expect(value(running, "istio_tcp_connections_opened_total", { app: "web" })).toBe(7);
  expect(value(running, "istio_tcp_connections_closed_total", { response_flags: "WORKER_LOST" })).toBe(5);
  expect(value(running, "heddle_worker_lost_connections_total")).toBe(5);
  opened(running.worker(0, { startId: "start-0b", restarts: 1 }), 3);
  await vi.waitFor(() => expect(value(running, "istio_tcp_connections_opened_total", { app: "web" })).toBe(10));
});

/** A worker says how many requests have begun and ended. */
const requested = (worker: FakeWorker, begun: number, ...ended: readonly number[]): void =>
  worker.report({
    kind: "counters",
    series: [
      { id: 0, metric: "heddle_requests_started_total", labels: { reporter: "source" } },
      ...ended.map((_, at) => ({
        id: at + 1,
        metric: "istio_requests_total" as const,
        labels: { reporter: "source", response_code: String(200 + at) },
      })),
    ],
    totals: [[0, begun], ...ended.map((total, at): [number, number] => [at + 1, total])],
  });

test("requests under way are those begun and not ended, and those of a worker that dies are lost", async () => {
  const running = await runningAgent();
  requested(running.worker(0), 10, 3, 4);
  requested(running.worker(1), 5, 5);
  const inFlight = () => ["0", "1"].map((worker) => value(running, "heddle_worker_requests_in_flight", { worker }));
  await vi.waitFor(() => expect(inFlight()).toEqual([3, 0]));
  running.supervisor({ kind: "worker-gone", startId: "start-0", reason: "SIGKILL" });
  expect(value(running, "heddle_worker_lost_requests_total")).toBe(3);
  expect(value(running, "heddle_requests_started_total")).toBe(15);
});

test("histograms of the workers are there with Istio's bounds, and stay when one dies", async () => {
  const running = await runningAgent();
  const name = "istio_request_duration_milliseconds";
  running.worker(0).report({
    kind: "histograms",
    series: [{ id: 0, metric: name, labels: { app: "web" } }],
    readings: [[0, 7.5, [...HISTOGRAM_BOUNDS, Infinity].map((_, bucket) => (bucket === 3 ? 2 : 0))]],
  });
  await vi.waitFor(() => expect(value(running, `${name}_count`)).toBe(2));
  running.supervisor({ kind: "worker-gone", startId: "start-0", reason: "SIGKILL" });
  const bounds = "0.5 1 5 10 25 50 100 250 500 1000 2500 5000 10000 30000 60000 300000 600000 1800000 3600000 +Inf";
  expect(samples(running).filter((sample) => sample.name.startsWith(name))).toEqual([
    ...bounds.split(" ").map((le, bucket) => ({
      name: `${name}_bucket`,
      labels: { app: "web", le },
      value: bucket < 3 ? 0 : 2,
    })),
    { name: `${name}_sum`, labels: { app: "web" }, value: 7.5 },
    { name: `${name}_count`, labels: { app: "web" }, value: 2 },
  ]);
});

test("restarts are counted up only: neither the death of a worker nor its end for good takes one back", async () => {
  const running = await runningAgent();
  const restarts = (): number | undefined => value(running, "heddle_worker_restarts_total");
  running.worker(0, { startId: "a", restarts: 3 });
  running.worker(4, { startId: "isolated", restarts: 2 });
  expect(restarts()).toBe(5);
  running.supervisor({ kind: "worker-gone", startId: "a", reason: "SIGKILL" });
  running.supervisor({ kind: "worker-gone", startId: "isolated", reason: "SIGKILL" });
  expect(restarts()).toBe(5);
  running.worker(0, { startId: "b", restarts: 4 });
  running.worker(4, { startId: "another isolated", restarts: 0 });
  expect(restarts()).toBe(6);
  running.supervisor({ kind: "worker-gone", startId: "another isolated", reason: "SIGKILL" });
  running.worker(4, { startId: "another isolated, again", restarts: 1 });
  expect(restarts()).toBe(7);
});

test("the control plane's messages are counted by type, its absences by number", async () => {
  const running = await runningAgent();
  expect(value(running, "heddle_control_plane_connected")).toBe(0);
  running.respond("address");
  running.respond("address");
  expect(value(running, "heddle_control_plane_connected")).toBe(1);
  expect(value(running, "istio_xds_message_total", { url: "type.googleapis.com/istio.workload.Address" })).toBe(2);
  running.streams[0]?.end("gone");
  expect(value(running, "heddle_control_plane_connected")).toBe(0);
  expect(value(running, "istio_xds_connection_terminations_total")).toBe(1);
  expect(value(running, "heddle_config_generation")).toBe(2);
  expect(value(running, "heddle_config_enforced_generation")).toBe(0);
});

test("of a certificate the end is shown, and nothing else of it", async () => {
  const running = await runningAgent();
  running.respond("trust-bundle", [running.bundle]);
  running.supervisor({ kind: "pod", slot: 1, worker: 2, pod: enrolledPod() });
  const name = "heddle_certificate_expiration_timestamp_seconds";
  expect(value(running, name)).toBeUndefined();
  await vi.waitFor(() => expect(value(running, name)).toBe(Date.parse("2026-01-02T00:00:00Z") / 1000));
  expect(samples(running).find((sample) => sample.name === name)?.labels).toEqual({
    identity: "spiffe://cluster.local/ns/shop/sa/web",
    worker: "2",
  });
  expect(value(running, "workload_manager_active_proxy_count")).toBe(1);
});

test("certificates that the CA does not give, or gives wrongly, are counted", async () => {
  const running = await runningAgent();
  running.sign.mockRejectedValueOnce(new Error("the CA is down")).mockResolvedValue(["<html>", ""]);
  running.respond("trust-bundle", [running.bundle]);
  running.supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  await vi.waitFor(() => expect(value(running, "heddle_certificate_failures_total")).toBe(1));
  running.clock.advance(1_000);
  await vi.waitFor(() => expect(value(running, "heddle_certificate_failures_total")).toBe(2));
});

test("log lines that workers left out are counted", async () => {
  const running = await runningAgent();
  const worker = running.worker(0);
  worker.report({ kind: "flows", flows: [], left: [], dropped: 2 });
  worker.report({ kind: "flows", flows: [], left: [], dropped: 3 });
  await vi.waitFor(() => expect(value(running, "heddle_access_log_dropped_total")).toBe(5));
});
