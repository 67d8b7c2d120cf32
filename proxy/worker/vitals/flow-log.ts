import type { Workload } from "#mesh/workload.ts";
import type { AccessLogMode } from "../../channel/access-log-mode.ts";
import { LineShare } from "../../channel/line-share.ts";
import type { Flow, LeftOut, WorkerReport } from "../../channel/worker-report.ts";

/**
 * Lines that wait to be sent, and as many numbers of such as were left out. Beyond it lines are left out, and how many is said:
 * traffic does not wait for its log.
 */
const MAX_WAITING = 8_192;
/** Lines in one report, so that it usually fits into a frame. */
const MAX_PER_REPORT = 256;

/**
 * What happened to connections and requests, on its way to the agent's access log. The agent holds every worker to the bound, so
 * that it may be made here already: a line that nobody will read costs as much as the request that it is about.
 */
export class FlowLog {
  readonly #mode: AccessLogMode;
  readonly #linesPerSecond: number;
  #shares = new Map<Workload, LineShare>();
  #flows: Flow[] = [];
  #left: LeftOut[] = [];
  #dropped = 0;

  /** @param mode which lines the agent writes: what it would leave out need not be made */
  constructor(mode: AccessLogMode = "all", linesPerSecond = Infinity) {
    this.#mode = mode;
    this.#linesPerSecond = linesPerSecond;
  }

  /**
   * Whether a line is to be made at all; one that is too many is counted.
   * @param failed whether it tells of a failure
   * @param pod of this node, that it is about
   */
  wants(failed: boolean, pod: Workload | undefined): boolean {
    if (this.#mode === "off" || (this.#mode === "failures" && !failed)) return false;
    if (pod === undefined) return true;
    let share = this.#shares.get(pod);
    if (share === undefined) this.#shares.set(pod, (share = new LineShare(this.#linesPerSecond)));
    return share.take(failed);
  }

  add(flow: Flow): void {
    if (this.#flows.length < MAX_WAITING) this.#flows.push(flow);
    else this.#dropped++;
  }

  get isEmpty(): boolean {
    return this.#flows.length === 0 && this.#left.length === 0 && this.#dropped === 0;
  }

  /** To be called every second: every pod has lines again, and how many were left out is told with the next reports. */
  nextSecond(): void {
    for (const [{ namespace, name }, { left }] of this.#shares) {
      if (left === 0) continue;
      // Without an agent nobody takes them.
      if (this.#left.length < MAX_WAITING) this.#left.push([namespace, name, left]);
      else this.#dropped += left;
    }
    this.#shares.clear();
  }

  /** @returns everything that waits, in as many reports as it takes */
  takeReports(): readonly WorkerReport[] {
    const reports: WorkerReport[] = [];
    while (!this.isEmpty) {
      const [flows, left] = [this.#flows.splice(0, MAX_PER_REPORT), this.#left.splice(0, MAX_PER_REPORT)];
      reports.push({ kind: "flows", flows, left, dropped: this.#dropped });
      this.#dropped = 0;
    }
    return reports;
  }
}
