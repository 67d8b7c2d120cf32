import type { Socket } from "node:net";
import type { Permit } from "#mesh/policies/authorization.ts";
import { err } from "#mesh/result.ts";
import { isGrpc } from "#mesh/routes/request-facts.ts";
import type { Service } from "#mesh/service.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";
import type { Field } from "#wire/field.ts";
import { mayHaveX } from "../../http/heads.ts";
import { Http1Client } from "../../http/http1-client.ts";
import { Http2Client } from "../../http/http2-client.ts";
import type {
  HeadChanges,
  HttpAnswer,
  HttpClientConnection,
  HttpReader,
  HttpRequest,
  HttpResponse,
  HttpWriter,
} from "../../http/message.ts";
import { hasPeerEnded } from "../../kernel/peer-end.ts";
import type { CapturedConnection } from "../accept/captured-connection.ts";
import { type Denial, guardInbound } from "../guard/inbound.ts";
import type { Pipeline } from "../pipeline.ts";
import type { ServedPod } from "../served-pod.ts";
import { callerOf } from "../tunnel-headers.ts";
import { connectApplication } from "../upstream/application.ts";
import { upstreamFailure } from "../upstream/failure.ts";
import type { ConnectionRecord } from "../vitals/connection-record.ts";
import { RequestRecord, type RequestStart } from "../vitals/request-record.ts";
import type { ConnectionEnds } from "../vitals/tcp-labels.ts";
import { refuse } from "./refuse.ts";
import { Forwarding } from "./forwarding.ts";
import type { Endpoints } from "./forwarding-plan.ts";
import { ENDPOINT_HTTP1, ENDPOINT_HTTP2 } from "./http-settings.ts";
import { type MeshError, TOO_MANY_OPEN_FILES, upstreamError } from "./mesh-error.ts";
import { OpenRequests } from "./open-requests.ts";
import { newRequestId } from "./request-id.ts";
import type { RequestHandler } from "./serve-http.ts";
import { arrivingChanges, claimedRequestId, withoutError } from "./trusted-fields.ts";

/** Who calls, and whom. */
export interface InboundWay extends CapturedConnection {
  /** Verified; undefined for plaintext. */
  readonly identity: SpiffeId | undefined;
  /** That the caller's proxy says was called. */
  readonly service: Service | undefined;
}

/**
 * A connection to the application on which nothing was asked for so long may be at its end: it is looked at before it is used.
 * Requests that follow one another at once do not wait for that.
 */
const DOUBTFUL_AFTER_MS = 20;

/** Requests to a pod on one connection or tunnel. */
export class InboundHttp implements RequestHandler {
  readonly #mesh: Pipeline;
  readonly #pod: ServedPod;
  readonly #way: InboundWay;
  readonly #application: Application;
  readonly #connection: ConnectionRecord;
  readonly #release: () => void;
  readonly #open = new OpenRequests();
  readonly #onOver = (over: Forwarding): void => this.#open.delete(over);
  readonly #onMistake = (error: unknown): void => this.#mesh.onMistake(this.#pod, error);
  #judged: Judged | undefined;
  /** To the head of every request that has an id. */
  #changes: HeadChanges | undefined;

  /** @param socket connected to the application already */
  constructor(
    mesh: Pipeline,
    pod: ServedPod,
    way: InboundWay,
    socket: Socket,
    connection: ConnectionRecord,
    release: () => void = () => undefined,
  ) {
    this.#mesh = mesh;
    this.#pod = pod;
    this.#way = way;
    this.#application = new Application(mesh, pod, way, socket);
    this.#connection = connection;
    this.#release = release;
  }

  request(request: HttpRequest, answer: HttpAnswer): HttpReader {
    const { identity, source, destination } = this.#way;
    // Whoever is not of the mesh has claimed it.
    const claimed = identity === undefined ? undefined : claimedRequestId(request.fields);
    const requestId = claimed ?? newRequestId();
    const judged = this.#judge(request.version === "2");
    const start: RequestStart = {
      direction: "inbound",
      requestId,
      fields: request.fields,
      source,
      destination,
      method: request.method,
      authority: request.authority,
      path: request.target,
      protocol: PROTOCOLS[request.version],
      isGrpc: isGrpc(request),
    };
    const record = new RequestRecord(this.#mesh.vitals, start, judged.ends);
    if (judged.denial) {
      const { policy, reason, message } = judged.denial;
      record.note({ policy });
      return refuse(request, answer, record, {
        status: 403,
        grpcStatus: "PERMISSION_DENIED",
        code: reason,
        message,
        flag: "UAEX",
      });
    }
    if (judged.policy !== undefined) record.note({ policy: judged.policy });
    const forwarding = new Forwarding(
      {
        request,
        changes:
          claimed === undefined
            ? arrivingChanges(source.address, this.#pod.identity, identity, requestId)
            : (this.#changes ??= arrivingChanges(source.address, this.#pod.identity, identity, undefined)),
        endpoints: judged.endpoints,
        timeouts: NO_TIMEOUTS,
        retry: undefined,
        budget: undefined,
        copies: NO_COPIES,
        record,
        keeping: this.#pod.kept,
        onMistake: this.#onMistake,
      },
      answer,
      this.#onOver,
    );
    if (!forwarding.isOver) this.#open.add(forwarding);
    return forwarding;
  }

  refused(reason: string, message: string): void {
    this.#connection.fail("CONNECT", reason, message);
  }

  closed(): void {
    this.#application.close();
    this.#release();
  }

  /** Ends what is under way: the pod is gone. */
  stop(reason: string): void {
    this.#open.stop(reason);
  }

  /** Policies may change while a connection lasts; the same ones say the same. */
  #judge(isHttp2: boolean): Judged {
    const snapshot = this.#mesh.snapshot();
    const { workload } = this.#pod;
    const known = this.#judged;
    if (known?.snapshot === snapshot && known.ends.destination === workload) return known;
    const { identity, source, destination, service } = this.#way;
    const facts = {
      identity,
      sourceIp: source.address,
      destinationIp: destination.address,
      destinationPort: destination.port,
    };
    const ends: ConnectionEnds = {
      reporter: "destination",
      source: callerOf(snapshot, source, identity),
      destination: workload,
      service,
      sourcePrincipal: identity,
      destinationPrincipal: this.#pod.identity,
      isMutualTls: identity !== undefined,
    };
    const verdict = workload ? guardInbound(snapshot, workload, facts) : err(NO_RECORD);
    if (!verdict.ok) return (this.#judged = { snapshot, ends, denial: verdict.error });
    const endpoints = new OwnApplication(this.#application, isHttp2, verdict.value);
    return (this.#judged = { snapshot, ends, denial: undefined, policy: verdict.value.policy, endpoints });
  }
}

/** What holds for all requests of a connection under one snapshot: connections speak one version of HTTP. */
type Judged = { readonly snapshot: Snapshot; readonly ends: ConnectionEnds } & (
  | { readonly denial: Denial }
  | { readonly denial: undefined; readonly policy: string | undefined; readonly endpoints: Endpoints }
);

/** The application as the only endpoint there is, for who may reach it. */
class OwnApplication implements Endpoints {
  readonly #application: Application;
  readonly #isHttp2: boolean;
  readonly #permit: Permit;

  constructor(application: Application, isHttp2: boolean, permit: Permit) {
    this.#application = application;
    this.#isHttp2 = isHttp2;
    this.#permit = permit;
  }

  connect(): HttpClientConnection | Promise<HttpClientConnection | MeshError> {
    return this.#application.connect(this.#isHttp2, this.#permit);
  }

  failureOf(): undefined {
    return undefined;
  }

  avoid(): void {
    // There is no other.
  }

  /** Applications cannot say that the mesh has failed. */
  response(head: HttpResponse): HttpResponse {
    if (!mayHaveX(head)) return head;
    const fields = withoutError(head.fields);
    return fields === head.fields ? head : { ...head, fields, received: undefined };
  }

  allowed(fields: readonly Field[]): readonly Field[] {
    return withoutError(fields);
  }
}

const NO_RECORD: Denial = { reason: "policy-missing", policy: "", message: "the pod has no record" };

const PROTOCOLS = { "1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2" } as const;
const NO_TIMEOUTS = { requestMs: undefined, backendRequestMs: undefined };
const NO_COPIES: readonly HttpWriter[] = [];

/** The connections to the application that serve one connection or tunnel: in HTTP/1.1 one, which is replaced when it has ended. */
class Application {
  readonly #mesh: Pipeline;
  readonly #pod: ServedPod;
  readonly #way: InboundWay;
  /** Connected and not used yet. */
  #socket: Socket | undefined;
  readonly #connections = new Set<HttpClientConnection>();
  /** One in HTTP/2 that is being made: whoever comes meanwhile waits for it. */
  #dialing: Promise<HttpClientConnection | MeshError> | undefined;
  /** When a request was sent last. */
  #usedAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(mesh: Pipeline, pod: ServedPod, way: InboundWay, socket: Socket) {
    this.#mesh = mesh;
    this.#pod = pod;
    this.#way = way;
    this.#socket = socket;
    this.#usedAt = mesh.vitals.now();
  }

  connect(isHttp2: boolean, permit: Permit): HttpClientConnection | Promise<HttpClientConnection | MeshError> {
    const now = this.#mesh.vitals.now();
    const isDoubtful = now - this.#usedAt >= DOUBTFUL_AFTER_MS;
    this.#usedAt = now;
    // What nobody reads has no end.
    this.#adoptFirst(isHttp2);
    if (isDoubtful) return this.#connectAfterLook(isHttp2, permit);
    return this.#find() ?? this.#make(isHttp2, permit);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
    for (const connection of this.#connections) connection.destroy("the caller's connection is gone");
  }

  /** An end that the application has said is in our kernel already: one turn of the event loop brings it to us. */
  async #connectAfterLook(isHttp2: boolean, permit: Permit): Promise<HttpClientConnection | MeshError> {
    await nextTurn();
    return this.#find() ?? (await this.#make(isHttp2, permit));
  }

  #adoptFirst(isHttp2: boolean): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket && !socket.destroyed && !socket.readableEnded) this.#adopt(socket, isHttp2);
  }

  #find(): HttpClientConnection | undefined {
    for (const connection of this.#connections) if (connection.room > 0) return connection;
    return undefined;
  }

  /** In HTTP/1.1 for one request, in HTTP/2 for all that wait. */
  async #make(isHttp2: boolean, permit: Permit): Promise<HttpClientConnection | MeshError> {
    if (!isHttp2) return this.#dial(isHttp2, permit);
    while (this.#dialing) {
      const shared = await this.#dialing;
      if ("code" in shared || shared.room > 0) return shared;
    }
    const dialing = this.#dial(isHttp2, permit);
    this.#dialing = dialing;
    try {
      return await dialing;
    } finally {
      this.#dialing = undefined;
    }
  }

  async #dial(isHttp2: boolean, permit: Permit): Promise<HttpClientConnection | MeshError> {
    const limits = { timeoutMs: this.#mesh.settings.upstream.connectTimeoutMs, signal: this.#pod.gone };
    const { source, destination } = this.#way;
    const release = this.#mesh.descriptors.take();
    if (!release) return TOO_MANY_OPEN_FILES;
    try {
      const socket = await connectApplication(this.#pod.stocks, source, destination, limits, permit);
      socket.once("close", release);
      if (!this.#isClosed) return this.#adopt(socket, isHttp2);
      socket.destroy();
      return upstreamError("gone", "the caller gave up before it was answered");
    } catch (error) {
      release();
      const { reason, message } = upstreamFailure(error);
      return upstreamError(reason, message);
    }
  }

  #adopt(socket: Socket, isHttp2: boolean): HttpClientConnection {
    const connection: HttpClientConnection = makeClient(socket, isHttp2, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    return connection;
  }
}

const makeClient = (socket: Socket, isHttp2: boolean, onClosed: () => void): HttpClientConnection => {
  const handler = { idle: () => undefined, leaving: () => undefined, closed: onClosed };
  const connection = isHttp2
    ? new Http2Client(socket, ENDPOINT_HTTP2, handler)
    : new Http1Client(socket, ENDPOINT_HTTP1, handler, () => hasPeerEnded(socket));
  socket.resume();
  return connection;
};

const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    // After what was readable has been read.
    setImmediate(() => setImmediate(resolve));
  });
