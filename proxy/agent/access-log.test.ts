import { Writable } from "node:stream";
import pino from "pino";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { AccessLogMode } from "../channel/access-log-mode.ts";
import type { Flow, LeftOut } from "../channel/worker-report.ts";
import { AccessLog, type Lines } from "./access-log.ts";

/** A log, and the lines that come out of the process. */
const logging = (mode: AccessLogMode, linesPerSecond = 1_000) => {
  let output = "";
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      output += chunk.toString();
      done();
    },
  });
  const log = new AccessLog(pino({ base: { process: "agent" } }, destination), mode, {
    linesPerSecond,
    isHome: (worker, namespace, name) => worker === 0 && namespace === "shop" && ["web", "cart"].includes(name),
  });
  const lines = (): readonly Record<string, unknown>[] =>
    output.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, unknown>]));
  return { log, lines, output: () => output };
};

const events = ["opened", "failed", "closed"].map((event): Flow => ({ event, "src.addr": "10.0.0.1:1" }));

const told = (flows: readonly Flow[], dropped = 0, left: readonly LeftOut[] = []): Lines => ({ flows, left, dropped });

test("every connection has one line for each event, which says whose worker it was", () => {
  const { log, lines } = logging("all");
  log.write(2, told(events));
  expect(lines()).toMatchObject([
    { level: 30, msg: "connection opened", event: "opened", worker: 2, log: "access", "src.addr": "10.0.0.1:1" },
    { level: 40, msg: "connection failed", event: "failed", worker: 2 },
    { level: 30, msg: "connection closed", event: "closed", worker: 2 },
  ]);
});

test.each([
  ["all", ["opened", "failed", "closed"]],
  ["failures", ["failed"]],
  ["off", []],
] as const)("with %s the events %j are written", (mode, written) => {
  const { log, lines } = logging(mode);
  log.write(0, told(events));
  expect(lines().map(({ event }) => event)).toEqual(written);
});

const requests: readonly Flow[] = [
  { event: "request", path: "/fine", response_code: 200, response_flags: "-" },
  { event: "request", path: "/broken", response_code: 500, response_flags: "-" },
  { event: "request", path: "/refused", response_code: 503, response_flags: "UH", reason: "no-endpoint" },
];

test("a request has one line; it has failed where the mesh says why, and not where an application answers so", () => {
  const { log, lines } = logging("all");
  log.write(2, told(requests));
  expect(lines()).toMatchObject([
    { level: 30, msg: "request", path: "/fine", worker: 2 },
    { level: 30, msg: "request", path: "/broken", response_code: 500 },
    { level: 40, msg: "request failed", path: "/refused", reason: "no-endpoint" },
  ]);
});

test("where only failures are told, requests that the mesh answered are", () => {
  const { log, lines } = logging("failures");
  log.write(0, told(requests));
  expect(lines().map(({ path }) => path)).toEqual(["/refused"]);
});

/** The first text of such characters takes seconds to make on a busy machine. */
test("a line is one line, whatever a worker writes into it, and the fields of the agent's stay the agent's", () => {
  const text = fc.string({ unit: "binary", maxLength: 100 });
  const property = fc.property(text, text, (reason, error) => {
    const { log, lines, output } = logging("all");
    const forged = { worker: 7 };
    log.write(1, told([{ ...forged, event: "failed", reason: `${reason}\n{"level":60}`, error }]));
    expect(output().split("\n").length).toBe(2);
    expect(lines()).toMatchObject([
      { level: 40, process: "agent", log: "access", worker: 1, msg: "connection failed" },
    ]);
    expect(lines()[0]?.reason).toBe(`${reason.toWellFormed()}\n{"level":60}`);
  });
  fc.assert(property, { numRuns: 20 });
}, 30_000);

test("what the workers left out is counted, also where nothing is written", () => {
  for (const mode of ["all", "failures", "off"] as const) {
    const { log } = logging(mode);
    log.write(0, told([], 3));
    log.write(1, told(events, 4));
    expect(log.dropped).toBe(7);
  }
});

test("a line is what the logger of the agent would have written", () => {
  const { log, lines, output } = logging("all");
  const flow: Flow = {
    event: "closed",
    "src.addr": "10.0.0.1:1",
    error: 'a "quoted"\n\u2028\ud800 text',
    reason: undefined,
  };
  log.write(1, told([flow]));
  const written = lines();
  const text = output();
  let expected = "";
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      expected += chunk.toString();
      done();
    },
  });
  const logger = pino({ base: { process: "agent" } }, destination).child({ log: "access" });
  logger.info({ ...flow, worker: 1 }, "connection closed");
  const [time] = written.map((line) => line["time"]);
  expect(written).toEqual([{ ...(JSON.parse(expected) as object), time }]);
  expect(text.split("\n").length).toBe(2);
});

test("a logger that is to tell of trouble alone has lines of failures alone", () => {
  let output = "";
  const destination = { write: (text: string) => void (output += text) };
  const bound = { linesPerSecond: 10, isHome: () => true };
  new AccessLog(pino({ level: "warn" }, destination), "all", bound).write(0, told(events));
  expect(output.split("\n").filter(Boolean).length).toBe(1);
  expect(output).toContain('"event":"failed"');
});

/** Lines of a pod of this node: of calls to it, or from it. */
const linesOf = (name: string, count: number, end: "src" | "dst" = "dst"): readonly Flow[] =>
  Array.from({ length: count }, () => ({
    event: "opened",
    direction: end === "dst" ? "inbound" : "outbound",
    [`${end}.workload`]: name,
    [`${end}.namespace`]: "shop",
  }));

test("a pod has so many lines a second, in both directions together; how many are left out is said, and others have theirs", () => {
  const { log, lines } = logging("all", 10);
  log.write(0, told([...linesOf("web", 15), ...linesOf("web", 5, "src"), ...linesOf("cart", 10, "src")]));
  expect(lines()).toHaveLength(20);
  log.nextSecond();
  expect(lines().slice(20)).toMatchObject([
    { level: 40, log: "access", event: "left-out", lines: 10, "pod.name": "web", worker: 0, msg: "10 lines left out" },
  ]);
  expect(log.dropped).toBe(10);
  log.write(0, told(linesOf("web", 10)));
  log.nextSecond();
  expect(lines()).toHaveLength(31);
  expect(log.dropped).toBe(10);
});

test("a worker that makes up pods, or speaks of another's, has one share for all of them", () => {
  const { log, lines } = logging("all", 10);
  const forged = Array.from({ length: 30 }, (_, index) => linesOf(`pod-${index}`, 1)).flat();
  log.write(1, told([...forged, ...linesOf("web", 30), ...events]));
  expect(lines()).toHaveLength(11);
  log.nextSecond();
  expect(lines().slice(11)).toMatchObject([{ event: "left-out", lines: 52, worker: 1 }]);
  expect(lines().at(-1)).not.toHaveProperty(["pod.name"]);
});

test("what a worker left out of a pod's lines is told as the pod's, and takes none of its lines", () => {
  const { log, lines } = logging("all", 10);
  log.write(0, told(linesOf("web", 4), 0, [["shop", "web", 90]]));
  log.write(0, told(linesOf("web", 8), 0, [["shop", "web", 5]]));
  log.write(1, told([], 0, [["shop", "web", 7]]));
  expect(lines()).toHaveLength(10);
  log.nextSecond();
  expect(lines().slice(10)).toMatchObject([
    { event: "left-out", lines: 97, "pod.name": "web", worker: 0 },
    { event: "left-out", lines: 7, worker: 1 },
  ]);
  expect(lines().at(-1)).not.toHaveProperty(["pod.name"]);
  expect(log.dropped).toBe(104);
});

test("failures have their lines when the others are too many", () => {
  const { log, lines } = logging("all", 10);
  log.write(0, told([...linesOf("web", 30), { ...linesOf("web", 1)[0], event: "failed" }]));
  expect(lines().filter(({ event }) => event === "failed")).toHaveLength(1);
  expect(lines()).toHaveLength(11);
});

test.each(["error", "silent"])(
  "a logger that is to tell of no warnings (%s) tells of no lines that were left out",
  (level) => {
    let output = "";
    const destination = { write: (line: string) => (output += line) };
    const bound = { linesPerSecond: 1_000, isHome: () => true };
    const log = new AccessLog(pino({ level }, destination), "all", bound);
    log.write(0, told(events, 0, [["shop", "web", 10]]));
    log.nextSecond();
    expect(output).toBe("");
  },
);
