import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import type { Flow } from "../../channel/worker-report.ts";
import type { Counter } from "./counters.ts";
import type { FlowLog } from "./flow-log.ts";
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

/** Where the vitals of connections go. */
export interface Vitals {
  readonly metrics: TcpMetrics;
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
    this.#ends = {
      reporter: start.direction === "inbound" ? "destination" : "source",
      source: undefined,
      destination: undefined,
      service: undefined,
      sourcePrincipal: undefined,
      destinationPrincipal: undefined,
      isMutualTls: false,
    };
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
    this.#log("closed", { ...this.#bytes(), ...(problem && { reason: problem.reason, error: problem.message }) });
  }

  /** The log counts from the reporter's view: what its own workload sent (istio/istio#32399). */
  #bytes(): Flow {
    const isInbound = this.#start.direction === "inbound";
    return {
      bytes_sent: isInbound ? this.#sent : this.#received,
      bytes_recv: isInbound ? this.#received : this.#sent,
    };
  }

  #log(event: "opened" | "failed" | "closed", fields: Flow): void {
    const { direction, traceId, source, destination } = this.#start;
    const ends = this.#ends;
    const durationMs = Math.round(this.#vitals.now() - this.#startedAt);
    const flow: MutableFlow = { event, direction, trace_id: traceId, duration_ms: durationMs };
    addEnd(flow, SOURCE_FIELDS, source, ends.source, ends.sourcePrincipal);
    addEnd(flow, DESTINATION_FIELDS, destination, ends.destination, ends.destinationPrincipal);
    if (ends.service) flow["dst.service"] = ends.service.hostname;
    flow.connection_security_policy = ends.isMutualTls ? "mutual_tls" : "none";
    this.#vitals.flows.add(Object.assign(flow, this.#endpoint, this.#extra, fields));
  }
}

/** Two or three lines for every connection: they are built in place. */
type MutableFlow = { -readonly [Key in keyof Flow]: Flow[Key] };

type EndFields = Readonly<Record<"address" | "name" | "namespace" | "identity", keyof Flow>>;

const SOURCE_FIELDS: EndFields = {
  address: "src.addr",
  name: "src.workload",
  namespace: "src.namespace",
  identity: "src.identity",
};
const DESTINATION_FIELDS: EndFields = {
  address: "dst.addr",
  name: "dst.workload",
  namespace: "dst.namespace",
  identity: "dst.identity",
};

const addEnd = (
  flow: MutableFlow,
  fields: EndFields,
  address: SocketAddress | undefined,
  workload: ConnectionEnds["source"],
  principal: ConnectionEnds["sourcePrincipal"],
): void => {
  if (address) flow[fields.address] = formatSocketAddress(address);
  if (workload) {
    flow[fields.name] = workload.name;
    flow[fields.namespace] = workload.namespace;
  }
  if (principal) flow[fields.identity] = principal;
};
