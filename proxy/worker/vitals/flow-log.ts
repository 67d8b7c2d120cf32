import type { AccessLogMode } from "../../channel/access-log-mode.ts";
import type { Flow, WorkerReport } from "../../channel/worker-report.ts";

/** Lines that wait to be sent. Beyond it lines are left out, and how many is said: traffic does not wait for its log. */
const MAX_WAITING = 8_192;
/** Lines in one report, so that it usually fits into a frame. */
const MAX_PER_REPORT = 256;

/** What happened to connections, on its way to the agent's access log. */
export class FlowLog {
  readonly #mode: AccessLogMode;
  #flows: Flow[] = [];
  #dropped = 0;

  /** @param mode which lines the agent writes: what it would leave out need not be made */
  constructor(mode: AccessLogMode = "all") {
    this.#mode = mode;
  }

  /** Whether a line is to be made at all. @param failed whether it tells of a failure */
  wants(failed: boolean): boolean {
    return this.#mode === "all" || (this.#mode === "failures" && failed);
  }

  add(flow: Flow): void {
    if (this.#flows.length < MAX_WAITING) this.#flows.push(flow);
    else this.#dropped++;
  }

  get isEmpty(): boolean {
    return this.#flows.length === 0 && this.#dropped === 0;
  }

  /** @returns everything that waits, in as many reports as it takes */
  takeReports(): readonly WorkerReport[] {
    const reports: WorkerReport[] = [];
    while (!this.isEmpty) {
      reports.push({ kind: "flows", flows: this.#flows.splice(0, MAX_PER_REPORT), dropped: this.#dropped });
      this.#dropped = 0;
    }
    return reports;
  }
}
