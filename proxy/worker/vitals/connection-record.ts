import type { SocketAddress } from "#mesh/socket-address.ts";
import type { Flow } from "../../channel/worker-report.ts";
import type { Counter } from "./counters.ts";
import { addBytes, addEnds, newLine, ownEnd, unknownEnds } from "./flow-line.ts";
import type { FlowLog } from "./flow-log.ts";
import type { RequestMetrics } from "./request-metrics.ts";
import type { RouteMetrics } from "./route-metrics.ts";
import type { ConnectionEnds } from "./tcp-labels.ts";
import type { ConnectionCounters, ResponseFlag, TcpMetrics } from "./tcp-metrics.ts";

/** What is known of a connection before anybody decided about it. */
export interface ConnectionStart {
  readonly direction: "inbound" | "outbound";
  /** W3C trace id; both ends of a tunnel log the same. */
  readonly traceId: string;
  readonly source: SocketAddress | undefined;
  readonly destination: SocketAddress | undefined;
}

/** Where the vitals of connections and requests go. */
export interface Vitals {
  readonly metrics: TcpMetrics;
  readonly requests: RequestMetrics;
  readonly routes: RouteMetrics;
  readonly flows: FlowLog;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
}

/**
 * One connection's telemetry, from the moment it was accepted. Exactly one of {@link fail} and {@link close} ends it, the
 * latter after {@link open}; further calls do nothing.
 */
export class ConnectionRecord {
  readonly #vitals: Vitals;
  readonly #start: ConnectionStart;
  readonly #startedAt: number;
  #state: "pending" | "open" | "over" = "pending";
  readonly #ends: ConnectionEnds;
  #counters: ConnectionCounters | undefined;
  #receivedBytes: Counter | undefined;
  #sentBytes: Counter | undefined;
  #extra: Flow = {};
  #endpoint: Flow = {};
  #received = 0;
  #sent = 0;

  constructor(vitals: Vitals, start: ConnectionStart) {
    this.#vitals = vitals;
    this.#start = start;
    this.#startedAt = vitals.now();
    this.#ends = unknownEnds(start.direction);
  }

  get traceId(): string {
    return this.#start.traceId;
  }

  /** Notes who the ends are, as soon as it is known. */
  between(ends: Partial<ConnectionEnds>): void {
    Object.assign(this.#ends, ends);
  }

  /** Adds fields to every line that follows, for example the policy that decided. */
  note(fields: Flow): void {
    this.#extra = { ...this.#extra, ...fields };
  }

  /** The same for where it goes; a later endpoint takes the place of an earlier one. */
  noteEndpoint(fields: Flow): void {
    this.#endpoint = fields;
  }

  /** Both sides are connected. */
  open(): void {
    if (this.#state !== "pending") return;
    this.#state = "open";
    this.#counters = this.#vitals.metrics.of(this.#ends);
    this.#counters.opened().add(1);
    this.#receivedBytes = this.#counters.received();
    this.#sentBytes = this.#counters.sent();
    this.#log("opened", {});
  }

  /** Bytes were handed on. */
  moved(direction: "request" | "response", bytes: number): void {
    if (direction === "request") this.#received += bytes;
    else this.#sent += bytes;
    (direction === "request" ? this.#receivedBytes : this.#sentBytes)?.add(bytes);
  }

  /**
   * The connection was never served.
   * @param reason one of a small, closed set: it is a label of a metric
   * @param message for a person
   */
  fail(flag: ResponseFlag, reason: string, message: string): void {
    if (this.#state !== "pending") return;
    this.#state = "over";
    this.#vitals.metrics.of(this.#ends).failed(flag).add(1);
    this.#vitals.metrics.refused(this.#start.direction, reason);
    this.#log("failed", { response_flags: flag, reason, error: message });
  }

  /** The connection is over. @param problem why, where it did not simply end */
  close(flag: ResponseFlag, problem?: { readonly reason: string; readonly message: string }): void {
    if (this.#state !== "open") return;
    this.#state = "over";
    this.#counters?.closed(flag).add(1);
    this.#log("closed", problem ? { reason: problem.reason, error: problem.message } : {});
  }

  #log(event: "opened" | "failed" | "closed", fields: Flow): void {
    if (!this.#vitals.flows.wants(event === "failed", ownEnd(this.#ends))) return;
    const flow = newLine(event, this.#start, this.#vitals.now() - this.#startedAt);
    addEnds(flow, this.#start, this.#ends);
    if (event === "closed") addBytes(flow, this.#received, this.#sent);
    this.#vitals.flows.add(Object.assign(flow, this.#endpoint, this.#extra, fields));
  }
}
