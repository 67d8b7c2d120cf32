import { decideByRoutes, type ForwardDecision, type ServiceTarget } from "#mesh/routes/decide-http-route.ts";
import { isGrpc, type RequestFacts } from "#mesh/routes/request-facts.ts";
import { type ChosenRoutes, routesFor } from "#mesh/routes/route-table.ts";
import type { RouteTimeouts } from "#mesh/routes/route.ts";
import { type ServiceName, serviceName } from "#mesh/service.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import type { HttpAnswer, HttpReader, HttpRequest, HttpWriter } from "../../http/message.ts";
import type { CapturedConnection } from "../accept/captured-connection.ts";
import type { Reachable } from "../connect-destination.ts";
import { guardOutbound } from "../guard/inbound.ts";
import type { Pipeline } from "../pipeline.ts";
import { type Destination, destinationOf } from "../route/destination.ts";
import type { ServedPod } from "../served-pod.ts";
import type { ConnectionRecord } from "../vitals/connection-record.ts";
import { RequestRecord, type RequestStart } from "../vitals/request-record.ts";
import { answerDecision } from "./answer-decision.ts";
import { backendOf } from "./backend-of.ts";
import { type Caller, EndpointAttempts } from "./endpoint-attempts.ts";
import { Forwarding } from "./forwarding.ts";
import { type MeshError, upstreamError } from "./mesh-error.ts";
import { mirrored } from "./mirror.ts";
import { OpenRequests } from "./open-requests.ts";
import { refuse } from "./refuse.ts";
import { callerEnds } from "./request-ends.ts";
import { newRequestId } from "./request-id.ts";
import { retryBudget } from "./retry-budgets.ts";
import type { RequestHandler } from "./serve-http.ts";
import { pinnedBackend, sessionFor } from "./session.ts";
import { leavingChanges } from "./trusted-fields.ts";

const NO_TIMEOUTS: RouteTimeouts = { requestMs: undefined, backendRequestMs: undefined };

const PROTOCOLS = { "1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2" } as const;

/** What a called address stands for under one snapshot. */
interface Resolved {
  readonly snapshot: Snapshot;
  readonly destination: Destination;
  /** That hold for this pod; undefined: none, or it is no service. */
  readonly routed: { readonly service: ServiceName; readonly port: number; readonly routes: ChosenRoutes } | undefined;
}

/** The backend of the last request. */
interface Reached {
  readonly snapshot: Snapshot;
  readonly backend: ServiceTarget;
  readonly destination: Reachable | MeshError;
}

/** Requests of a pod, each routed by itself by what holds when its head comes. */
export class OutboundHttp implements RequestHandler {
  readonly #caller: Caller;
  readonly #connection: ConnectionRecord;
  readonly #open = new OpenRequests();
  #resolved: Resolved | undefined;
  #reached: Reached | undefined;
  readonly #onOver = (over: Forwarding): void => this.#open.delete(over);
  readonly #onMistake = (error: unknown): void => this.#caller.mesh.onMistake(this.#caller.pod, error);

  constructor(mesh: Pipeline, pod: ServedPod, captured: CapturedConnection, connection: ConnectionRecord) {
    const { source, destination } = captured;
    const permit = guardOutbound({
      identity: pod.identity,
      sourceIp: source.address,
      destinationIp: destination.address,
      destinationPort: destination.port,
    });
    this.#caller = { mesh, pod, captured, permit };
    this.#connection = connection;
  }

  request(request: HttpRequest, answer: HttpAnswer): HttpReader {
    const { mesh, pod, captured } = this.#caller;
    const snapshot = mesh.snapshot();
    const { destination, routed } = this.#resolve(snapshot);
    const requestId = newRequestId();
    const service = destination.kind === "service" ? destination.service : undefined;
    const start: RequestStart = {
      direction: "outbound",
      requestId,
      fields: request.fields,
      source: captured.source,
      destination: captured.destination,
      method: request.method,
      authority: request.authority,
      path: request.target,
      protocol: PROTOCOLS[request.version],
      isGrpc: isGrpc(request),
    };
    const record = new RequestRecord(mesh.vitals, start, callerEnds(pod, service));
    if (destination.kind === "refused") {
      return refuse(request, answer, record, upstreamError(destination.reason, destination.message, "NC"));
    }
    if (!routed) {
      return this.#forward(request, answer, { snapshot, requestId, record, destination });
    }
    const facts: RequestFacts = {
      method: request.method,
      scheme: request.scheme,
      authority: request.authority,
      target: request.target,
      fields: request.fields,
      sourceNamespace: pod.pod.namespace,
      service: routed.service,
      port: routed.port,
    };
    const pin = pinnedBackend(snapshot, request.fields, captured.destination);
    const decision = decideByRoutes(routed.routes, facts, Math.random, pin);
    if (decision.kind !== "forward") return answerDecision(request, answer, record, decision, facts);
    const target = this.#reach(snapshot, decision.backend);
    record.noteRoute(decision.rule, decision.backend);
    if ("code" in target) return refuse(request, answer, record, target);
    // The one that answers, not the one that was called.
    if (target.kind === "service" && target.service !== service) record.between(callerEnds(pod, target.service));
    return this.#forward(request, answer, { snapshot, requestId, record, destination: target, decision, facts });
  }

  /** What the called address stands for; asked anew when anything has changed. */
  #resolve(snapshot: Snapshot): Resolved {
    if (this.#resolved?.snapshot === snapshot) return this.#resolved;
    const destination = destinationOf(snapshot, this.#caller.captured.destination);
    this.#resolved = { snapshot, destination, routed: this.#routesOf(snapshot, destination) };
    return this.#resolved;
  }

  /** Where a backend is; the one of the last request is known. */
  #reach(snapshot: Snapshot, backend: ServiceTarget): Reachable | MeshError {
    const known = this.#reached;
    if (known?.snapshot === snapshot && known.backend === backend) return known.destination;
    const destination = backendOf(snapshot, backend, this.#caller.captured.destination);
    this.#reached = { snapshot, backend, destination };
    return destination;
  }

  #routesOf({ routes: table }: Snapshot, destination: Destination): Resolved["routed"] {
    if (destination.kind !== "service") return undefined;
    const [service, { port }] = [serviceName(destination.service), destination.port];
    const routes = routesFor(table, service, port, this.#caller.pod.pod.namespace);
    return routes && { service, port, routes };
  }

  refused(reason: string, message: string): void {
    this.#connection.fail("CONNECT", reason, message);
  }

  closed(): void {
    // What each request came to was told.
  }

  /** Ends what is under way: the pod is gone. */
  stop(reason: string): void {
    this.#open.stop(reason);
  }

  #forward(request: HttpRequest, answer: HttpAnswer, routed: Routed): HttpReader {
    const { mesh } = this.#caller;
    const { snapshot, record, destination, decision, facts } = routed;
    const session = sessionFor(snapshot, request.fields, destination, decision);
    const goesOn = decision ? routedRequest(request, decision) : request;
    const attempts = new EndpointAttempts(this.#caller, goesOn, { record, destination, decision, facts, session });
    const changes = leavingChanges(routed.requestId, []);
    const budget = retryBudget(mesh, snapshot, destination);
    budget?.noteRequest();
    const forwarding = new Forwarding(
      {
        request: goesOn,
        changes,
        endpoints: attempts,
        timeouts: decision?.timeouts ?? NO_TIMEOUTS,
        retry: decision?.retry,
        budget,
        copies:
          decision && decision.mirrors.length > 0
            ? mirrored(this.#caller, snapshot, goesOn, changes, decision, record.traceId)
            : NO_COPIES,
        record,
        keeping: this.#caller.pod.kept,
        onMistake: this.#onMistake,
      },
      answer,
      this.#onOver,
    );
    if (!forwarding.isOver) this.#open.add(forwarding);
    return forwarding;
  }
}

/** A request of which is known where it goes. */
interface Routed {
  readonly snapshot: Snapshot;
  readonly requestId: string;
  readonly record: RequestRecord;
  readonly destination: Reachable;
  readonly decision?: ForwardDecision;
  readonly facts?: RequestFacts;
}

const NO_COPIES: readonly HttpWriter[] = [];

/** The request as the rule's filters make it; the same where they change nothing. */
const routedRequest = (request: HttpRequest, { request: routed }: ForwardDecision): HttpRequest => {
  const { authority, target, fields } = routed;
  const isSame = authority === request.authority && target === request.target && fields === request.fields;
  return isSame ? request : { ...request, authority, target, fields, received: undefined };
};
