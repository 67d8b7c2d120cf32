import pino, { type DestinationStream, type Logger } from "pino";
import type { AccessLogMode } from "../channel/access-log-mode.ts";
import type { Flow } from "../channel/worker-report.ts";

/**
 * Writes a line for each connection that opened, failed or closed, and for each request, as the workers report them. They are the
 * lines of the agent's logger, made without it: pino serializes field by field, and takes up to twice as long for the line that
 * each request has on either node.
 */
export class AccessLog {
  readonly #logger: Logger;
  readonly #output: DestinationStream;
  /** Of every line, between its time and its own fields. */
  readonly #bindings: string;
  readonly #mode: AccessLogMode;
  #dropped = 0;

  constructor(logger: Logger, mode: AccessLogMode) {
    this.#logger = logger;
    this.#output = (logger as Logger & Record<symbol, DestinationStream>)[pino.symbols.streamSym] as DestinationStream;
    this.#bindings = JSON.stringify({ ...logger.bindings(), log: "access" }).slice(1, -1);
    this.#mode = mode;
  }

  /** Lines that the workers left out because there were too many. */
  get dropped(): number {
    return this.#dropped;
  }

  /** @param worker index of the worker that says so; a worker can lie about its own pods' connections, not about whose line it is */
  write(worker: number, flows: readonly Flow[], dropped: number): void {
    this.#dropped += dropped;
    if (this.#mode === "off") return;
    for (const flow of flows) {
      const failed = isFailure(flow);
      if (this.#mode === "failures" && !failed) continue;
      const level = failed ? "warn" : "info";
      if (this.#logger.isLevelEnabled(level))
        this.#output.write(this.#line(level, worker, flow, messageOf(flow, failed)));
    }
  }

  #line(level: "warn" | "info", worker: number, flow: Flow, msg: string): string {
    const own = JSON.stringify({ ...flow, worker, msg }).slice(1);
    return `{"level":${pino.levels.values[level]},"time":${Date.now()},${this.#bindings},${own}\n`;
  }
}

/** A request has failed when the mesh answered it or it broke off: what applications answer is theirs to judge. */
const isFailure = ({ event, reason }: Flow): boolean =>
  event === "failed" || (event === "request" && reason !== undefined);

const messageOf = ({ event }: Flow, failed: boolean): string => {
  if (event === "request") return failed ? "request failed" : "request";
  if (failed) return "connection failed";
  return event === "opened" ? "connection opened" : "connection closed";
};
