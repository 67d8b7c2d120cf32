import pino, { type DestinationStream, type Logger } from "pino";
import { type AccessLogMode, modeAtLevel } from "../channel/access-log-mode.ts";
import { LineShare } from "../channel/line-share.ts";
import type { Flow, LeftOut } from "../channel/worker-report.ts";

/** How much is written: a pod must not fill the disk of its node with lines, nor leave others none. */
export interface AccessLogBound {
  /** For each pod of the node. */
  readonly linesPerSecond: number;
  /** Whether a worker is the home of a pod. */
  readonly isHome: (worker: number, namespace: string, name: string) => boolean;
}

/** Whose lines they are. */
interface Sharer {
  readonly worker: number;
  /** Undefined: lines of which no pod is known, of all pods of the worker. */
  readonly pod: { readonly namespace: string; readonly name: string } | undefined;
  readonly share: LineShare;
}

/** What a worker has to tell. */
export interface Lines {
  readonly flows: readonly Flow[];
  readonly left: readonly LeftOut[];
  readonly dropped: number;
}

/**
 * Writes a line for each connection that opened, failed or closed, and for each request, as the workers report them. They are the
 * lines of the agent's logger, made without it: pino serializes field by field, and takes up to twice as long for the line that
 * each request has on either node.
 */
export class AccessLog {
  readonly #output: DestinationStream;
  /** Of every line, between its time and its own fields. */
  readonly #bindings: string;
  readonly #mode: AccessLogMode;
  readonly #bound: AccessLogBound;
  readonly #sharers = new Map<string, Sharer>();
  #dropped = 0;

  constructor(logger: Logger, mode: AccessLogMode, bound: AccessLogBound) {
    this.#output = (logger as Logger & Record<symbol, DestinationStream>)[pino.symbols.streamSym] as DestinationStream;
    this.#bindings = JSON.stringify({ ...logger.bindings(), log: "access" }).slice(1, -1);
    this.#mode = modeAtLevel(mode, logger.level);
    this.#bound = bound;
  }

  /** Lines that the workers left out because there were too many, and those that we did. */
  get dropped(): number {
    return this.#dropped;
  }

  /** @param worker index of the worker that says so; a worker can lie about its own pods' connections, not about whose line it is */
  write(worker: number, { flows, left, dropped }: Lines): void {
    this.#dropped += dropped;
    if (this.#mode === "off") return;
    for (const [namespace, name, lines] of left) this.#shareOf(worker, namespace, name).leaveOut(lines);
    for (const flow of flows) {
      const failed = isFailure(flow);
      if (this.#mode === "failures" && !failed) continue;
      const [namespace, name] = ownPodOf(flow);
      if (!this.#shareOf(worker, namespace, name).take(failed)) continue;
      this.#tell(failed ? "warn" : "info", { ...flow, worker, msg: messageOf(flow, failed) });
    }
  }

  /** To be called every second: everybody may write again, and how many lines were left out is said. */
  nextSecond(): void {
    for (const { worker, pod, share } of this.#sharers.values()) {
      const { left } = share;
      if (left === 0) continue;
      this.#dropped += left;
      const whose = pod && { "pod.namespace": pod.namespace, "pod.name": pod.name };
      this.#tell("warn", { event: "left-out", lines: left, ...whose, worker, msg: `${left} lines left out` });
    }
    this.#sharers.clear();
  }

  /** A pod that the worker made up has no share of its own. */
  #shareOf(worker: number, namespace: string, name: string): LineShare {
    const key = `${worker} ${namespace}/${name}`;
    const known = this.#sharers.get(key);
    if (known) return known.share;
    const isHome = this.#bound.isHome(worker, namespace, name);
    const common = this.#sharers.get(`${worker}`);
    if (!isHome && common) return common.share;
    const share = new LineShare(this.#bound.linesPerSecond);
    this.#sharers.set(isHome ? key : `${worker}`, { worker, pod: isHome ? { namespace, name } : undefined, share });
    return share;
  }

  #tell(level: "warn" | "info", fields: object): void {
    const own = JSON.stringify(fields).slice(1);
    this.#output.write(`{"level":${pino.levels.values[level]},"time":${Date.now()},${this.#bindings},${own}\n`);
  }
}

/** Namespace and name of the pod on this node that a line is about. */
const ownPodOf = (flow: Flow): readonly [string, string] => {
  const end = flow.direction === "outbound" ? "src" : "dst";
  const namespace = flow[`${end}.namespace`] ?? flow["pod.namespace"];
  const name = flow[`${end}.workload`] ?? flow["pod.name"];
  return [String(namespace ?? ""), String(name ?? "")];
};

/** A request has failed when the mesh answered it or it broke off: what applications answer is theirs to judge. */
const isFailure = ({ event, reason }: Flow): boolean =>
  event === "failed" || (event === "request" && reason !== undefined);

const messageOf = ({ event }: Flow, failed: boolean): string => {
  if (event === "request") return failed ? "request failed" : "request";
  if (failed) return "connection failed";
  return event === "opened" ? "connection opened" : "connection closed";
};
