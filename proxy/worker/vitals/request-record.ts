import type { MatchedRule } from "#mesh/routes/decide-http-route.ts";
import type { Field } from "#wire/field.ts";
import type { Flow } from "../../channel/worker-report.ts";
import type { ConnectionStart, Vitals } from "./connection-record.ts";
import { addBytes, addEnds, type MutableFlow, newLine, ownEnd, unknownEnds } from "./flow-line.ts";
import { grpcOutcome } from "./grpc-outcome.ts";
import type { RequestOutcome } from "./http-labels.ts";
import type { HttpResponseFlag } from "./http-response-flag.ts";
import { type RouteBackend, ruleLabel } from "./route-metrics.ts";
import type { ConnectionEnds } from "./tcp-labels.ts";
import { requestTraceId } from "./trace-context.ts";

/** What is known of a request when its head came. */
export interface RequestStart extends Omit<ConnectionStart, "traceId"> {
  /** `x-request-id` as the proxies of the mesh have it. */
  readonly requestId: string;
  /** Its fields, of which one may name a trace. */
  readonly fields: readonly Field[];
  readonly method: string;
  readonly authority: string;
  /** As it came; its query is not told. */
  readonly path: string;
  readonly protocol: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2";
  readonly isGrpc: boolean;
}

/** One request's telemetry, from its head to the end of its answer: one line, and what is counted. */
export class RequestRecord {
  readonly #vitals: Vitals;
  readonly #start: RequestStart;
  readonly #startedAt: number;
  #ends: ConnectionEnds;
  #traceId: string | undefined;
  #isOver = false;
  #extra: Flow | undefined;
  #endpoint: Flow | undefined;
  #rule: MatchedRule | undefined;
  #backend: RouteBackend | undefined;
  #attempts = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  #status = 0;
  #grpcStatus: string | undefined;

  /** @param ends as far as they are known */
  constructor(vitals: Vitals, start: RequestStart, ends: ConnectionEnds = unknownEnds(start.direction)) {
    this.#vitals = vitals;
    this.#start = start;
    this.#startedAt = vitals.now();
    this.#ends = ends;
    vitals.requests.started(ends.reporter);
  }

  /** W3C's; both proxies log the same. Found when it is needed: for the line, or for a tunnel that is opened. */
  get traceId(): string {
    return (this.#traceId ??= requestTraceId(this.#start.fields, this.#start.requestId));
  }

  /** Whether the client speaks gRPC, which wants its errors as trailers. */
  get isGrpc(): boolean {
    return this.#start.isGrpc;
  }

  /** Notes who the ends are, as soon as more is known. */
  between(ends: ConnectionEnds): void {
    this.#ends = ends;
  }

  /** Adds fields to the line, for example the policy that decided. */
  note(fields: Flow): void {
    this.#extra = { ...this.#extra, ...fields };
  }

  /** Notes what routes made of it. @param backend undefined where no backend gets it */
  noteRoute(rule: MatchedRule | undefined, backend: RouteBackend | undefined): void {
    this.#rule = rule;
    this.#backend = backend;
  }

  /** Adds fields about where it goes; a later endpoint takes the place of an earlier one. */
  noteEndpoint(fields: Flow): void {
    this.#endpoint = fields;
  }

  /** It is sent to an endpoint: each time beyond the first is a retry. */
  noteAttempt(): void {
    this.#attempts++;
  }

  /** Bytes of content were handed on. */
  moved(direction: "request" | "response", bytes: number): void {
    if (direction === "request") this.#requestBytes += bytes;
    else this.#responseBytes += bytes;
  }

  /** The final head, also one that the mesh made, was handed on to the client. */
  responded(status: number): void {
    this.#status = status;
  }

  /** `grpc-status`, as it came in trailers or in a head without content. */
  grpcStatus(status: string): void {
    this.#grpcStatus = status;
  }

  /**
   * It is over; further calls do nothing.
   * @param flag `-` when all went well
   * @param problem where the mesh answered by itself, or it broke off. `reason`: one of a small, closed set, as it is a
   * label of a metric; `message`: for a person
   */
  close(flag: HttpResponseFlag, problem?: { readonly reason: string; readonly message: string }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const grpcStatus = this.#start.isGrpc ? grpcOutcome(this.#grpcStatus, this.#status) : undefined;
    const outcome = { status: this.#status, grpcStatus, flag };
    const durationMs = this.#vitals.now() - this.#startedAt;
    this.#count(outcome, durationMs, problem?.reason);
    this.#log(outcome, durationMs, problem);
  }

  #count(outcome: RequestOutcome, durationMs: number, reason: string | undefined): void {
    const { requests, routes } = this.#vitals;
    const [requestBytes, responseBytes] = [this.#requestBytes, this.#responseBytes];
    requests.of(this.#ends).ended(outcome, { durationMs, requestBytes, responseBytes });
    if (reason !== undefined) requests.refused(this.#start.direction, reason);
    if (this.#attempts > 1) requests.retried(this.#ends.service, this.#attempts - 1);
    if (this.#rule && this.#start.direction === "outbound")
      routes.ended(this.#rule, this.#backend, outcome, durationMs);
  }

  #log(
    { flag, status, grpcStatus }: RequestOutcome,
    durationMs: number,
    problem: { readonly reason: string; readonly message: string } | undefined,
  ): void {
    if (!this.#vitals.flows.wants(problem !== undefined, ownEnd(this.#ends))) return;
    const { direction, requestId, method, authority, path, protocol } = this.#start;
    const flow = newLine("request", { direction, traceId: own(this.traceId, MAX_TRACE_ID) }, durationMs);
    flow.request_id = own(requestId, MAX_REQUEST_ID);
    flow.method = own(method, MAX_METHOD);
    flow.authority = own(authority, MAX_AUTHORITY);
    flow.path = own(withoutQuery(path), MAX_PATH);
    flow.protocol = protocol;
    flow.response_code = status;
    flow.grpc_status = grpcStatus;
    flow.response_flags = flag;
    flow.reason = problem?.reason;
    flow.error = problem?.message;
    flow.attempts = this.#attempts || undefined;
    addBytes(flow, this.#requestBytes, this.#responseBytes);
    addEnds(flow, this.#start, this.#ends);
    this.#addRoute(flow);
    this.#vitals.flows.add(Object.assign(flow, this.#endpoint, this.#extra));
  }

  #addRoute(flow: MutableFlow): void {
    if (this.#rule) {
      flow.route = `${this.#rule.route.namespace}/${this.#rule.route.name}`;
      flow.route_rule = ruleLabel(this.#rule);
    }
    if (this.#backend) flow.backend = `${hostnameOf(this.#backend)}:${this.#backend.port}`;
  }
}

/** Characters of a line's texts that a client chose: lines wait in memory until they are sent. */
const MAX_METHOD = 32;
/** The longest name of DNS, and a port. */
const MAX_AUTHORITY = 260;
const MAX_PATH = 256;
const MAX_REQUEST_ID = 64;
const MAX_TRACE_ID = 32;

/**
 * Shortened, and a text of its own: a part of a string keeps all of it in memory, here the whole head of a request, as long as
 * the line waits. What is put together and cut again is flat and no part of the first.
 */
const own = (text: string, max: number): string =>
  text.length <= max ? ` ${text}`.slice(1) : ` ${text.slice(0, max - 3)}...`.slice(1);

const withoutQuery = (path: string): string => {
  const end = path.search(/[?#]/);
  return end < 0 ? path : path.slice(0, end);
};

/** A service's name is `<namespace>/<hostname>`. */
const hostnameOf = ({ service }: RouteBackend): string => service.slice(service.indexOf("/") + 1);
