import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { Permit } from "#mesh/policies/authorization.ts";
import { type BackendTls, tlsOf } from "#mesh/routes/backend-policy.ts";
import { applyResponseFilters, type ForwardDecision } from "#mesh/routes/decide-http-route.ts";
import { fieldValue } from "#mesh/routes/field.ts";
import type { RequestFacts } from "#mesh/routes/request-facts.ts";
import { backendPolicyOf } from "#mesh/snapshot.ts";
import { formatSocketAddress } from "#mesh/socket-address.ts";
import type { Field } from "#wire/field.ts";
import { hasPeerEnded } from "../../kernel/peer-end.ts";
import { mayHaveX } from "../../http/heads.ts";
import { Http1Client } from "../../http/http1-client.ts";
import { Http2Client } from "../../http/http2-client.ts";
import type { HttpClientConnection, HttpClientHandler, HttpRequest, HttpResponse } from "../../http/message.ts";
import type { Carrier } from "../../transport/carrier.ts";
import type { CapturedConnection } from "../accept/captured-connection.ts";
import {
  dialLimits,
  endpointNotes,
  noEndpoint,
  openTunnel,
  type Reachable,
  selectEndpoint,
} from "../connect-destination.ts";
import type { Pipeline } from "../pipeline.ts";
import type { Endpoint } from "../select/endpoint.ts";
import type { ServedPod } from "../served-pod.ts";
import { connectDirect } from "../upstream/direct.ts";
import { secureEndpoint, tlsKey } from "../upstream/endpoint-tls.ts";
import { NoSocketError } from "../upstream/socket-stock.ts";
import { upstreamFailure, type UpstreamFailure } from "../upstream/failure.ts";
import type { RequestRecord } from "../vitals/request-record.ts";
import type { EndpointFailure, Endpoints } from "./forwarding-plan.ts";
import { ENDPOINT_HTTP1, ENDPOINT_HTTP2 } from "./http-settings.ts";
import {
  ERROR_FIELD,
  GRPC_CODES,
  type MeshError,
  TOO_MANY_OPEN_FILES,
  UNREACHED_CODES,
  upstreamError,
} from "./mesh-error.ts";
import { endsAt, unprovenEndsAt } from "./request-ends.ts";
import type { Session } from "./session.ts";
import { withoutError } from "./trusted-fields.ts";
import { goesOnAsHttp2 } from "./upstream-version.ts";

const NO_FILTERS: ForwardDecision["responseFilters"] = [];

/** How many endpoints are tried for one attempt: nothing of the request has been sent until one is connected. */
const MAX_ENDPOINTS = 3;

/** Who sends requests to endpoints. */
export interface Caller {
  readonly mesh: Pipeline;
  readonly pod: ServedPod;
  readonly captured: CapturedConnection;
  /** That the pod may. */
  readonly permit: Permit;
}

/** What is known of a request when it is to be sent to endpoints. */
export interface Way {
  readonly record: Pick<RequestRecord, "traceId" | "between" | "noteEndpoint">;
  readonly destination: Reachable;
  readonly decision: ForwardDecision | undefined;
  readonly facts: RequestFacts | undefined;
  /** Which endpoint is to be the first. */
  readonly session: Session | undefined;
}

/** Endpoints for the attempts of one request: each at most once, as far as there are others. */
export class EndpointAttempts implements Endpoints {
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

  constructor({ mesh, pod, captured, permit }: Caller, request: HttpRequest, way: Way) {
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
    const tls = this.#tlsOf(endpoint);
    const found = this.#pod.http.find(this.#keyOf(endpoint, tls));
    if (!found) return this.#dial(endpoint);
    this.#noteProven(endpoint, tls);
    return found;
  }

  /** Only the proxy of a pod of the mesh may say it. */
  failureOf(head: HttpResponse): EndpointFailure | undefined {
    if (this.#endpoint?.kind !== "tunnel" || !mayHaveX(head)) return undefined;
    const { status, fields } = head;
    const code = fieldValue(fields, ERROR_FIELD);
    if (code === undefined) return undefined;
    if (UNREACHED_CODES.has(code)) return "unreached";
    const isDenied = status === 403 || fieldValue(fields, "grpc-status") === String(GRPC_CODES.PERMISSION_DENIED);
    return isDenied ? "denied" : "connection";
  }

  avoid({ fields }: HttpResponse): void {
    if (!this.#endpoint) return;
    const address = formatSocketAddress(this.#endpoint.address);
    (this.#tried ??= new Set()).add(address);
    const code = fieldValue(fields, ERROR_FIELD) ?? "";
    this.#unreached = upstreamError(code, `${address}: its proxy cannot reach the application`);
  }

  response(head: HttpResponse, failure: EndpointFailure | undefined): HttpResponse {
    const { decision, facts, session } = this.#way;
    const filters = decision?.responseFilters ?? NO_FILTERS;
    // An endpoint whose proxy answers in its place serves no session yet.
    const begun = session && this.#endpoint && failure === undefined ? session.begun(this.#endpoint) : undefined;
    if (filters.length === 0 && !begun && !mayHaveX(head)) return head;
    const own = this.allowed(head.fields);
    if (own === head.fields && filters.length === 0 && !begun) return head;
    const filtered = facts ? applyResponseFilters(filters, facts, own) : own;
    return { ...head, fields: begun ? [...filtered, begun] : filtered, received: undefined };
  }

  /** Fields of the endpoint's. */
  allowed(fields: readonly Field[]): readonly Field[] {
    return this.#endpoint?.kind === "tunnel" ? fields : withoutError(fields);
  }

  /** Tries one endpoint after the other until one is connected. */
  async #dial(first: Endpoint): Promise<HttpClientConnection | MeshError> {
    let failure: UpstreamFailure | undefined;
    for (let left = MAX_ENDPOINTS, endpoint: Endpoint | undefined = first; endpoint && left > 0; left--) {
      this.#noteTry(endpoint);
      try {
        const connection = await this.#open(endpoint);
        if (connection.room > 0) {
          this.#noteProven(endpoint, this.#tlsOf(endpoint));
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
    const { destination, session } = this.#way;
    const pinned = this.#tried === undefined ? session?.endpoint(destination) : undefined;
    const endpoint = pinned ?? selectEndpoint(this.#mesh, destination, this.#tried);
    this.#endpoint = endpoint;
    return endpoint;
  }

  /** It is tried: only when it is connected has it proven who it is. */
  #noteTry(endpoint: Endpoint): void {
    const { record, destination } = this.#way;
    record.between(unprovenEndsAt(this.#pod, destination, endpoint));
    record.noteEndpoint(endpointNotes(endpoint));
  }

  #noteProven(endpoint: Endpoint, tls: BackendTls | undefined): void {
    const { record, destination } = this.#way;
    record.between(endsAt(this.#pod, destination, endpoint));
    record.noteEndpoint(
      tls?.kind === "verified"
        ? { "dst.endpoint": formatSocketAddress(endpoint.address), "dst.tls": tls.hostname }
        : endpointNotes(endpoint),
    );
  }

  #open(endpoint: Endpoint): Promise<HttpClientConnection> {
    const isHttp2 = this.#isHttp2;
    const { http } = this.#pod;
    const permit = this.#permit;
    const { record, destination } = this.#way;
    const tls = this.#tlsOf(endpoint);
    return http.open(this.#keyOf(endpoint, tls), isHttp2, async (handler) => {
      if (endpoint.kind !== "tunnel") {
        const socket = await this.#connectDirect(endpoint);
        if (!tls) return client(socket, isHttp2, handler);
        return client(await secureEndpoint(socket, tls, isHttp2 ? "h2" : "http/1.1", this.#pod.gone), isHttp2, handler);
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

  /** A pooled connection outlives those of clients: its descriptor counts by itself. */
  async #connectDirect({ address }: Endpoint): Promise<Socket> {
    const release = this.#mesh.descriptors.take();
    if (!release) throw new NoSocketError(TOO_MANY_OPEN_FILES.message);
    try {
      const limits = dialLimits(this.#mesh, this.#pod);
      const socket = await connectDirect(this.#pod.stocks, address, limits, this.#permit);
      socket.once("close", release);
      return socket;
    } catch (error) {
      release();
      throw error;
    }
  }

  get #isHttp2(): boolean {
    return goesOnAsHttp2(this.#request, this.#way.destination);
  }

  /** How an endpoint outside the mesh wants to be reached; undefined: in clear. */
  #tlsOf({ kind }: Endpoint): BackendTls | undefined {
    const { destination } = this.#way;
    if (kind !== "plaintext" || destination.kind !== "service") return undefined;
    return tlsOf(backendPolicyOf(this.#mesh.snapshot(), destination.service), destination.port.port);
  }

  #keyOf(endpoint: Endpoint, tls: BackendTls | undefined): string {
    const { http1, http2 } = poolKeys.getOrInsertComputed(endpoint, poolKey);
    const key = this.#isHttp2 ? http2 : http1;
    return tls ? `${key} tls ${tlsKey(tls)}` : key;
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

const client = (carrier: Carrier, isHttp2: boolean, handler: HttpClientHandler): HttpClientConnection => {
  const connection = isHttp2
    ? new Http2Client(carrier, ENDPOINT_HTTP2, handler)
    : new Http1Client(carrier, ENDPOINT_HTTP1, handler, () => isPlain(carrier) && hasPeerEnded(carrier));
  // Sockets are paused until somebody reads them.
  if (carrier instanceof Duplex) carrier.resume();
  return connection;
};

/** Of what has a layer above TCP the kernel does not know what its peer has said. */
const isPlain = (carrier: Carrier): carrier is Socket => carrier instanceof Socket && !(carrier instanceof TLSSocket);

const noEndpointError = (destination: Reachable): MeshError => {
  const { reason, message } = noEndpoint(destination);
  return upstreamError(reason, message, "UH");
};

/** The way to the endpoint failed: nothing of the request was sent. */
const failureError = ({ flag, reason, message }: UpstreamFailure): MeshError =>
  flag === "DENY"
    ? { status: 403, grpcStatus: "PERMISSION_DENIED", code: reason, message, flag: "UAEX" }
    : upstreamError(reason, message);
