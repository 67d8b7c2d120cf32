import { Duplex } from "node:stream";
import type { Permit } from "#mesh/policies/authorization.ts";
import {
  applyResponseFilters,
  decideHttpRoute,
  type ForwardDecision,
  type RouteDecision,
} from "#mesh/routes/decide-http-route.ts";
import { fieldValue } from "#mesh/routes/field.ts";
import { portKey } from "#mesh/routes/route-table.ts";
import { isGrpc, type RequestFacts } from "#mesh/routes/request-facts.ts";
import type { RouteTimeouts } from "#mesh/routes/route.ts";
import { serviceName } from "#mesh/service.ts";
import { sharedGet } from "#mesh/shared-map.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import { formatSocketAddress } from "#mesh/socket-address.ts";
import type { Field } from "#wire/field.ts";
import { field } from "#wire/http1/head.ts";
import { asDuplex } from "../../http/byte-stream-duplex.ts";
import { Http1Client } from "../../http/http1-client.ts";
import { Http2Client } from "../../http/http2-client.ts";
import type {
  HttpAnswer,
  HttpClientConnection,
  HttpClientHandler,
  HttpReader,
  HttpRequest,
  HttpResponse,
} from "../../http/message.ts";
import type { Http1Carrier } from "../../transport/open-http1-byte-stream.ts";
import type { CapturedConnection } from "../accept/captured-connection.ts";
import {
  dialLimits,
  noEndpoint,
  noteEndpoint,
  openTunnel,
  type Reachable,
  selectEndpoint,
} from "../connect-destination.ts";
import { guardOutbound } from "../guard/inbound.ts";
import type { Pipeline } from "../pipeline.ts";
import { randomHex } from "../random-hex.ts";
import { type Destination, destinationOf } from "../route/destination.ts";
import type { Endpoint } from "../select/endpoint.ts";
import type { ServedPod } from "../served-pod.ts";
import { connectDirect } from "../upstream/direct.ts";
import { upstreamFailure, type UpstreamFailure } from "../upstream/failure.ts";
import type { ConnectionRecord } from "../vitals/connection-record.ts";
import { RequestRecord } from "../vitals/request-record.ts";
import { Forwarding } from "./forwarding.ts";
import { ENDPOINT_HTTP1, ENDPOINT_HTTP2 } from "./http-settings.ts";
import {
  ERROR_FIELD,
  GRPC_CODES,
  type MeshError,
  NO_ROUTE,
  response,
  UNREACHED_CODES,
  upstreamError,
} from "./mesh-error.ts";
import { Discarding } from "./discarding.ts";
import { refuse } from "./refuse.ts";
import { asUuid } from "./request-id.ts";
import type { RequestHandler } from "./serve-http.ts";
import { backendOf } from "./backend-of.ts";
import { leavingChanges, withoutError } from "./trusted-fields.ts";
import { goesOnAsHttp2 } from "./upstream-version.ts";

/** How many endpoints are tried for one attempt: nothing of the request has been sent until one is connected. */
const MAX_ENDPOINTS = 3;

const NO_TIMEOUTS: RouteTimeouts = { requestMs: undefined, backendRequestMs: undefined };

const PROTOCOLS = { "1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2" } as const;

/** What a called address stands for under one snapshot. */
interface Resolved {
  readonly snapshot: Snapshot;
  readonly destination: Destination;
  readonly hasRoutes: boolean;
}

/** Requests of a pod, each routed by itself by what holds when its head comes. */
export class OutboundHttp implements RequestHandler {
  readonly #mesh: Pipeline;
  readonly #pod: ServedPod;
  readonly #captured: CapturedConnection;
  readonly #connection: ConnectionRecord;
  readonly #permit: Permit;
  readonly #open = new Set<Forwarding>();
  #resolved: Resolved | undefined;

  constructor(mesh: Pipeline, pod: ServedPod, captured: CapturedConnection, connection: ConnectionRecord) {
    this.#mesh = mesh;
    this.#pod = pod;
    this.#captured = captured;
    this.#connection = connection;
    const { source, destination } = captured;
    this.#permit = guardOutbound({
      identity: pod.identity,
      sourceIp: source.address,
      destinationIp: destination.address,
      destinationPort: destination.port,
    });
  }

  request(request: HttpRequest, answer: HttpAnswer): HttpReader {
    const [mesh, pod] = [this.#mesh, this.#pod];
    const snapshot = mesh.snapshot();
    const { destination, hasRoutes } = this.#resolve(snapshot);
    const traceId = randomHex(16);
    const requestId = asUuid(traceId);
    const record = new RequestRecord(mesh.vitals, {
      direction: "outbound",
      traceId,
      requestId,
      source: this.#captured.source,
      destination: this.#captured.destination,
      method: request.method,
      authority: request.authority,
      path: request.target,
      protocol: PROTOCOLS[request.version],
      isGrpc: isGrpc(request),
    });
    const service = destination.kind === "service" ? destination.service : undefined;
    record.between({ source: pod.workload, sourcePrincipal: pod.identity, service });
    if (destination.kind === "refused") {
      return refuse(request, answer, record, upstreamError(destination.reason, destination.message, "NC"));
    }
    if (destination.kind !== "service" || !hasRoutes) {
      return this.#forward(request, answer, { requestId, record, destination, decision: undefined, facts: undefined });
    }
    const facts: RequestFacts = {
      method: request.method,
      scheme: request.scheme,
      authority: request.authority,
      target: request.target,
      fields: request.fields,
      sourceNamespace: pod.pod.namespace,
      service: serviceName(destination.service),
      port: destination.port.port,
    };
    const decision = decideHttpRoute(snapshot.routes, facts, Math.random);
    if (decision.kind === "unrouted") {
      return this.#forward(request, answer, { requestId, record, destination, decision: undefined, facts });
    }
    if (decision.kind !== "forward") return answerDecision(request, answer, record, decision, facts);
    const target = backendOf(snapshot, decision, this.#captured.destination);
    record.noteRoute(decision.rule, { service: decision.backend.service, port: decision.backend.port });
    if ("code" in target) return refuse(request, answer, record, target);
    return this.#forward(request, answer, { requestId, record, destination: target, decision, facts });
  }

  /** What the called address stands for; asked anew when anything has changed. */
  #resolve(snapshot: Snapshot): Resolved {
    if (this.#resolved?.snapshot === snapshot) return this.#resolved;
    const destination = destinationOf(snapshot, this.#captured.destination);
    const hasRoutes =
      destination.kind === "service" &&
      sharedGet(snapshot.routes, portKey(serviceName(destination.service), destination.port.port)) !== undefined;
    this.#resolved = { snapshot, destination, hasRoutes };
    return this.#resolved;
  }

  refused(reason: string, message: string): void {
    this.#connection.fail("CONNECT", reason, message);
  }

  closed(): void {
    // What each request came to was told.
  }

  /** Ends what is under way: the pod is gone. */
  stop(reason: string): void {
    for (const forwarding of this.#open) forwarding.stop(reason);
  }

  #forward(request: HttpRequest, answer: HttpAnswer, way: Way): HttpReader {
    const { record, decision, facts } = way;
    const attempts = new EndpointAttempts(this.#mesh, this.#pod, this.#captured, this.#permit, request, way);
    const forwarding = new Forwarding(
      {
        request: decision ? routedRequest(request, decision) : request,
        changes: leavingChanges(way.requestId, []),
        connect: () => attempts.connect(),
        isUnreached: (head) => attempts.isUnreached(head),
        response: (head) => attempts.response(head, decision, facts),
        isConnectionFailure: (head) => attempts.isConnectionFailure(head),
        allowed: (fields) => attempts.allowed(fields),
        timeouts: decision?.timeouts ?? NO_TIMEOUTS,
        retry: decision?.retry,
        mayRetry: () => true,
        copies: [],
        record,
        onMistake: (error) => this.#mesh.onMistake(this.#pod, error),
      },
      answer,
      (over) => this.#open.delete(over),
    );
    if (!forwarding.isOver) this.#open.add(forwarding);
    return forwarding;
  }
}

/** Answers what goes to no backend. */
const answerDecision = (
  request: HttpRequest,
  answer: HttpAnswer,
  record: RequestRecord,
  decision: Exclude<RouteDecision, { kind: "forward" | "unrouted" }>,
  facts: RequestFacts,
): HttpReader => {
  if (decision.kind === "not-found") return refuse(request, answer, record, NO_ROUTE);
  record.noteRoute(decision.rule, undefined);
  if (decision.kind === "error") {
    return refuse(request, answer, record, {
      status: decision.status,
      grpcStatus: "UNAVAILABLE",
      code: decision.status === 503 ? "no-backend" : "invalid-backend",
      message: decision.reason,
      flag: "NC",
    });
  }
  const isRedirect = decision.kind === "redirect";
  const fields = isRedirect
    ? applyResponseFilters(decision.responseFilters, facts, [field("location", decision.location)])
    : decision.fields;
  record.responded(decision.status);
  answer.head(response(decision.status, fields, isRedirect ? 0 : undefined, true));
  answer.end([]);
  record.close("-");
  return new Discarding(answer);
};

/** What is known of a request when it is to be forwarded. */
interface Way {
  readonly requestId: string;
  readonly record: RequestRecord;
  readonly destination: Reachable;
  readonly decision: ForwardDecision | undefined;
  readonly facts: RequestFacts | undefined;
}

/** Endpoints for the attempts of one request: each at most once, as far as there are others. */
class EndpointAttempts {
  readonly #mesh: Pipeline;
  readonly #pod: ServedPod;
  readonly #captured: CapturedConnection;
  readonly #permit: Permit;
  readonly #request: HttpRequest;
  readonly #way: Way;
  #tried: Set<string> | undefined;
  #endpoint: Endpoint | undefined;
  /** What the last endpoint said that did not reach its application. */
  #unreached: MeshError | undefined;

  constructor(
    mesh: Pipeline,
    pod: ServedPod,
    captured: CapturedConnection,
    permit: Permit,
    request: HttpRequest,
    way: Way,
  ) {
    this.#mesh = mesh;
    this.#pod = pod;
    this.#captured = captured;
    this.#permit = permit;
    this.#request = request;
    this.#way = way;
  }

  /** At once where a connection is there. */
  connect(): HttpClientConnection | MeshError | Promise<HttpClientConnection | MeshError> {
    const endpoint = this.#select();
    if (!endpoint) return this.#unreached ?? noEndpointError(this.#way.destination);
    const found = this.#pod.http.find(this.#keyOf(endpoint));
    if (found) {
      this.#proven(endpoint);
      return found;
    }
    return this.#dial(endpoint);
  }

  /** Whether the endpoint's proxy answers because it did not reach the application: then another is next. */
  isUnreached({ fields }: HttpResponse): boolean {
    const endpoint = this.#endpoint;
    const code = endpoint?.kind === "tunnel" ? fieldValue(fields, ERROR_FIELD) : undefined;
    if (endpoint === undefined || code === undefined || !UNREACHED_CODES.has(code)) return false;
    const address = formatSocketAddress(endpoint.address);
    (this.#tried ??= new Set()).add(address);
    this.#unreached = upstreamError(code, `${address}: its proxy cannot reach the application`);
    return true;
  }

  /** The response of the endpoint as the client gets it: only proxies of the mesh may say that the mesh failed. */
  response(head: HttpResponse, decision: ForwardDecision | undefined, facts: RequestFacts | undefined): HttpResponse {
    const own = this.allowed(head.fields);
    const filters = decision?.responseFilters ?? [];
    if (own === head.fields && filters.length === 0) return head;
    const fields = facts ? applyResponseFilters(filters, facts, own) : own;
    return { ...head, fields, received: undefined };
  }

  /** The proxy of the endpoint says that it could not reach the application; that it may not is an answer. */
  isConnectionFailure({ status, fields }: HttpResponse): boolean {
    if (this.#endpoint?.kind !== "tunnel" || fieldValue(fields, ERROR_FIELD) === undefined) return false;
    return status !== 403 && fieldValue(fields, "grpc-status") !== String(GRPC_CODES.PERMISSION_DENIED);
  }

  /** Fields of the endpoint's. */
  allowed(fields: readonly Field[]): readonly Field[] {
    return this.#endpoint?.kind === "tunnel" ? fields : withoutError(fields);
  }

  /** Tries one endpoint after the other until one is connected. */
  async #dial(first: Endpoint): Promise<HttpClientConnection | MeshError> {
    let failure: UpstreamFailure | undefined;
    for (let left = MAX_ENDPOINTS, endpoint: Endpoint | undefined = first; endpoint && left > 0; left--) {
      try {
        const connection = await this.#open(endpoint);
        if (connection.room > 0) {
          this.#proven(endpoint);
          return connection;
        }
        failure = {
          flag: "CONNECT",
          reason: "tunnel-broken",
          message: "the connection ended at once",
          retry: "anywhere",
        };
      } catch (error) {
        failure = upstreamFailure(error);
      }
      if (failure.retry === "never" || this.#pod.isGone) break;
      if (failure.retry === "elsewhere") (this.#tried ??= new Set()).add(formatSocketAddress(endpoint.address));
      endpoint = this.#select();
    }
    return failure ? failureError(failure) : noEndpointError(this.#way.destination);
  }

  #select(): Endpoint | undefined {
    const endpoint = selectEndpoint(this.#mesh, this.#way.destination, this.#tried);
    this.#endpoint = endpoint;
    if (endpoint) noteEndpoint(this.#way.record, this.#pod, endpoint);
    return endpoint;
  }

  #proven(endpoint: Endpoint): void {
    if (endpoint.kind === "tunnel") this.#way.record.between({ destinationPrincipal: endpoint.identity });
  }

  #open(endpoint: Endpoint): Promise<HttpClientConnection> {
    const isHttp2 = this.#isHttp2;
    const { http } = this.#pod;
    const permit = this.#permit;
    const { record, destination } = this.#way;
    return http.open(this.#keyOf(endpoint), isHttp2, async (handler) => {
      if (endpoint.kind !== "tunnel") {
        const socket = await connectDirect(
          this.#pod.stocks,
          endpoint.address,
          dialLimits(this.#mesh, this.#pod),
          permit,
        );
        return client(socket, isHttp2, handler);
      }
      let connection: HttpClientConnection | undefined;
      const service = destination.kind === "service" ? destination.service : undefined;
      const tunnel = await openTunnel(
        this.#mesh,
        this.#pod,
        this.#captured.source,
        service,
        endpoint,
        record.traceId,
        permit,
        // What carries it may be draining by the time that it is open: then it serves those who wait for it.
        () => (connection ? connection.drain() : handler.leaving()),
      );
      connection = client(tunnel, isHttp2, handler);
      return connection;
    });
  }

  get #isHttp2(): boolean {
    return goesOnAsHttp2(this.#request, this.#way.destination);
  }

  #keyOf(endpoint: Endpoint): string {
    const key = poolKeys.getOrInsertComputed(endpoint, poolKey);
    return this.#isHttp2 ? key.http2 : key.http1;
  }
}

/** Endpoints stay the same values for long, and each request asks. */
const poolKeys = new WeakMap<Endpoint, PoolKeys>();

interface PoolKeys {
  readonly http1: string;
  readonly http2: string;
}

const poolKey = (endpoint: Endpoint): PoolKeys => {
  const address = formatSocketAddress(endpoint.address);
  const whose = endpoint.kind === "tunnel" ? `${endpoint.workload.uid} ${endpoint.identity}` : endpoint.kind;
  return { http1: `1 ${whose} ${address}`, http2: `2 ${whose} ${address}` };
};

const client = (carrier: Http1Carrier, isHttp2: boolean, handler: HttpClientHandler): HttpClientConnection => {
  const connection = isHttp2
    ? new Http2Client(asDuplex(carrier), ENDPOINT_HTTP2, handler)
    : new Http1Client(carrier, ENDPOINT_HTTP1, handler);
  // Sockets are paused until somebody reads them.
  if (carrier instanceof Duplex) carrier.resume();
  return connection;
};

/** The request as the rule's filters make it; the same where they change nothing. */
const routedRequest = (request: HttpRequest, { request: routed }: ForwardDecision): HttpRequest => {
  const { authority, target, fields } = routed;
  const isSame = authority === request.authority && target === request.target && fields === request.fields;
  return isSame ? request : { ...request, authority, target, fields, received: undefined };
};

const noEndpointError = (destination: Reachable): MeshError => {
  const { reason, message } = noEndpoint(destination);
  return upstreamError(reason, message, "UH");
};

/** The way to the endpoint failed: nothing of the request was sent. */
const failureError = ({ flag, reason, message }: UpstreamFailure): MeshError =>
  flag === "DENY"
    ? { status: 403, grpcStatus: "PERMISSION_DENIED", code: reason, message, flag: "UAEX" }
    : upstreamError(reason, message);
