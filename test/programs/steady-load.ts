/**
 * Load that goes on while processes of the mesh die, in a pod: `steady-load HOST SECRET`. Everything it sends has the secret in it.
 *
 *   short    HTTP requests, each on a connection of its own
 *   kept     HTTP requests on connections that are kept alive
 *   stream   one connection to an echo that is never idle, opened again when it breaks
 *
 * For each line of input it prints one line of JSON: what happened since the last ({@link LoadReport}). Ends with its input.
 */
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { createInterface } from "node:readline";

/** How requests ended. `other`: without an answer in time, or with one that is not theirs. */
export interface Outcomes {
  ok: number;
  refused: number;
  reset: number;
  other: number;
}

export interface LoadReport {
  readonly short: Outcomes;
  readonly kept: Outcomes;
  readonly stream: Outcomes;
  /** The longest time in which no short request was answered, up to now. */
  readonly gapMs: number;
  /** Age of the oldest request that is under way. */
  readonly oldestMs: number;
}

const [host = "", secret = ""] = process.argv.slice(2);
const HTTP_PORT = 8087;
const ECHO_PORT = 8085;
const CALLERS = 4;
const PAUSE_MS = 20;
const TIMEOUT_MS = 60_000;

const nothing = (): Outcomes => ({ ok: 0, refused: 0, reset: 0, other: 0 });
let counts = { short: nothing(), kept: nothing(), stream: nothing() };
let [lastOk, gapMs] = [performance.now(), 0];
const underWay = new Set<{ readonly since: number }>();

const failureOf = (code: string | undefined): keyof Outcomes => {
  if (code === "ECONNREFUSED") return "refused";
  return code === "ECONNRESET" || code === "EPIPE" ? "reset" : "other";
};

const request = (agent: Agent | false): Promise<keyof Outcomes> =>
  new Promise((resolve) => {
    const asked = get(
      { host, port: HTTP_PORT, agent, path: `/${secret}`, headers: { "x-secret": secret } },
      (answer) => {
        answer.resume();
        answer.once("end", () => resolve(answer.complete && answer.statusCode === 200 ? "ok" : "reset"));
        answer.once("error", (error: NodeJS.ErrnoException) => resolve(failureOf(error.code)));
      },
    );
    asked.setTimeout(TIMEOUT_MS, () => asked.destroy(new Error("timeout")));
    asked.once("error", (error: NodeJS.ErrnoException) => resolve(failureOf(error.code)));
  });

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

const call = async (kind: "short" | "kept"): Promise<void> => {
  const agent = kind === "kept" && new Agent({ keepAlive: true, maxSockets: 1 });
  for (;;) {
    const one = { since: performance.now() };
    underWay.add(one);
    const outcome = await request(agent);
    underWay.delete(one);
    counts[kind][outcome]++;
    if (outcome === "ok" && kind === "short") {
      gapMs = Math.max(gapMs, performance.now() - lastOk);
      lastOk = performance.now();
    }
    await pause();
  }
};

const stream = (): void => {
  const socket = connect({ host, port: ECHO_PORT, noDelay: true, autoSelectFamily: false });
  const timer = setInterval(() => socket.write(`${secret}\n`), PAUSE_MS);
  let failure: keyof Outcomes = "reset";
  socket.on("data", () => counts.stream.ok++);
  socket.once("error", (error: NodeJS.ErrnoException) => (failure = failureOf(error.code)));
  socket.once("close", () => {
    clearInterval(timer);
    counts.stream[failure]++;
    setTimeout(stream, PAUSE_MS);
  });
};

const report = (): LoadReport => {
  const now = performance.now();
  const oldestMs = Math.max(0, ...Array.from(underWay, ({ since }) => now - since));
  const said = { ...counts, gapMs: Math.round(Math.max(gapMs, now - lastOk)), oldestMs: Math.round(oldestMs) };
  counts = { short: nothing(), kept: nothing(), stream: nothing() };
  gapMs = 0;
  return said;
};

for (let caller = 0; caller < CALLERS; caller++) void call(caller % 2 === 0 ? "short" : "kept");
stream();
const input = createInterface(process.stdin);
input.on("line", () => process.stdout.write(`${JSON.stringify(report())}\n`));
input.once("close", () => process.exit(0));
