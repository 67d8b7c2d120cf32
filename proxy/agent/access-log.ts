import type { Logger } from "pino";
import type { AccessLogMode } from "../channel/access-log-mode.ts";
import type { Flow } from "../channel/worker-report.ts";

/** Writes a line for each connection that opened, failed or closed, and for each request, as the workers report them. */
export class AccessLog {
  readonly #logger: Logger;
  readonly #mode: AccessLogMode;
  #dropped = 0;

  constructor(logger: Logger, mode: AccessLogMode) {
    this.#logger = logger.child({ log: "access" });
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
      const line = { ...flow, worker };
      if (failed) this.#logger.warn(line, messageOf(flow, failed));
      else this.#logger.info(line, messageOf(flow, failed));
    }
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
