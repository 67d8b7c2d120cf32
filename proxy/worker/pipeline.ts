import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { VerifiedPeer } from "#certs/tls/peer-check.ts";
import { assertNever } from "#mesh/assert-never.ts";
import type { Clock } from "#mesh/clock.ts";
import type { IpAddress } from "#mesh/ip-address.ts";
import type { SocketAddress } from "#mesh/socket-address.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";
import { wakeAt } from "#mesh/wake-at.ts";
import type { Workload } from "#mesh/workload.ts";
import type { ByteStream } from "../tunnel/byte-stream.ts";
import type { IncomingTunnel, TunnelServer } from "../tunnel/tunnel.ts";
import { serveTunnels } from "../tunnel/tunnel-server.ts";
import type { Budget } from "./accept/budget.ts";
import { type CapturedConnection, ownAddress, peerAddress, readCaptured } from "./accept/captured-connection.ts";
import { connectDestination, type ConnectContext } from "./connect-destination.ts";
import { readConnect } from "./exchange/connect-request.ts";
import { expectedAt } from "./exchange/expected-protocol.ts";
import { EndedStream, PeekedStream, SocketPeek } from "./exchange/first-bytes.ts";
import { splice, type SpliceEnd } from "./exchange/splice.ts";
import { tcpByteStream } from "./exchange/tcp-byte-stream.ts";
import { guardInbound, guardOutbound } from "./guard/inbound.ts";
import {
  CALLER_GONE,
  CAPTURE_PROBLEMS,
  type Failure,
  MISTAKE,
  noPlace,
  POD_GONE,
  SILENT,
  TOO_MANY_OPEN_FILES,
  tooManyTunnelConnections,
} from "./failures.ts";
import { expectedOutbound, type First, firstOfBoth, firstOfClient } from "./first-words.ts";
import { InboundHttp } from "./http/inbound-http.ts";
import { OutboundHttp } from "./http/outbound-http.ts";
import { serveHttp } from "./http/serve-http.ts";
import { randomHex } from "./random-hex.ts";
import { destinationOf } from "./route/destination.ts";
import type { ServedPod } from "./served-pod.ts";
import { callerOf, calledService, responseHeaders, traceIdOf } from "./tunnel-headers.ts";
import { connectApplication } from "./upstream/application.ts";
import { type UpstreamFailure, upstreamFailure } from "./upstream/failure.ts";
import { ConnectionRecord, type Vitals } from "./vitals/connection-record.ts";

/** What every connection is served with. */
export interface Pipeline extends ConnectContext {
  /** Of all pods of the worker together. */
  readonly descriptors: Budget;
  readonly vitals: Vitals;
  readonly clock: Clock;
  /** What can be expected is a value: this was thrown, and is a mistake of ours. The connection has ended. */
  readonly onMistake: (pod: ServedPod, error: unknown) => void;
}

/** A pod that is served: its own record is there. */
type ReadyPod = ServedPod & { readonly workload: Workload };

/** Outbound: a pod calls somebody. accept, exchange, guard, route, select, upstream. */
export const serveOutbound = (mesh: Pipeline, pod: ServedPod, socket: Socket): Promise<void> =>
  serveCaptured(mesh, pod, socket, "outbound", async ({ client, record, captured }) => {
    record.between({ source: pod.workload, sourcePrincipal: pod.identity });
    const destination = destinationOf(mesh.snapshot(), captured.destination);
    if (destination.kind === "refused") return { flag: "CONNECT", retry: "never", ...destination };
    const expected = expectedOutbound(mesh.snapshot(), destination);
    const first =
      expected === "opaque" ? { spoken: expected, client } : await firstOfClient(mesh, pod, socket, client, expected);
    if (first.spoken === "nothing") return SILENT;
    if (first.spoken !== "opaque") {
      const handler = new OutboundHttp(mesh, pod, captured, record);
      return serveHttp(pod, socket, first.spoken, handler, false);
    }
    const permit = guardOutbound(factsOf(pod.identity, captured.source, captured.destination));
    if (destination.kind === "service") record.between({ service: destination.service });
    const upstream = await connectDestination(mesh, pod, captured.source, destination, record, permit);
    if ("reason" in upstream) return upstream;
    return exchange(mesh, pod, record, first.client, upstream);
  });

/** Inbound plaintext: somebody outside the mesh, or without it, calls a pod. accept, guard, upstream, exchange. */
export const serveInbound = (mesh: Pipeline, pod: ServedPod, socket: Socket): Promise<void> =>
  serveCaptured(mesh, pod, socket, "inbound", async ({ client, record, captured }) => {
    record.between({ source: callerOf(mesh.snapshot(), captured.source, undefined), destination: pod.workload });
    const { source, destination } = captured;
    if (!pod.pod.addresses.includes(destination.address)) {
      const message = `${destination.address} is no address of the pod`;
      return { flag: "CONNECT", reason: "not-own-address", message, retry: "never" };
    }
    const application = await admit(mesh, pod, record, undefined, captured);
    if ("reason" in application) return application;
    const expected = expectedAt(pod.workload, destination.port);
    if (expected === "opaque") return exchange(mesh, pod, record, client, tcpByteStream(application));
    const first = await firstOfBoth(mesh, pod, expected, application, (onBytes) => new SocketPeek(socket, onBytes));
    if (first.spoken === "nothing") {
      application.destroy();
      return SILENT;
    }
    if (first.spoken === "opaque") {
      const stream = first.hasEnded ? new EndedStream(client, first.bytes) : client;
      return exchange(mesh, pod, record, stream, applicationStream(application, first));
    }
    const way = { identity: undefined, source, destination, service: undefined };
    return serveHttp(pod, socket, first.spoken, new InboundHttp(mesh, pod, way, application, record), false);
  });

/** What both captured ways share: a connection is accepted, served, and ends once, whatever happens. */
const serveCaptured = async (
  mesh: Pipeline,
  pod: ServedPod,
  socket: Socket,
  direction: "inbound" | "outbound",
  serve: (accepted: Accepted) => Promise<UpstreamFailure | undefined | void>,
): Promise<void> => {
  let accepted: Accepted | undefined;
  try {
    accepted = accept(mesh, pod, socket, direction);
    if (!accepted) return;
    const failure = await serve(accepted);
    if (failure) turnAway(accepted.client, accepted.record, pod.isGone ? POD_GONE : failure);
  } catch (error) {
    if (accepted) turnAway(accepted.client, accepted.record, pod.isGone ? POD_GONE : MISTAKE);
    else socket.destroy();
    if (!pod.isGone) mesh.onMistake(pod, error);
  }
};

/** Inbound tunnels: a verified caller. Each of its requests takes the way of {@link serveRequest}. */
export const serveTunnelConnection = (
  mesh: Pipeline,
  pod: ServedPod,
  socket: TLSSocket,
  peer: VerifiedPeer<SpiffeId>,
): void => {
  const release = pod.tunnelConnections.take();
  const [source, own] = [peerAddress(socket), ownAddress(socket)];
  if (!release) refuseHandshake(mesh, pod, socket, tooManyTunnelConnections(pod));
  if (!release || !source || !own || pod.isGone) {
    release?.();
    socket.destroy();
    return;
  }
  const onRequest = (request: IncomingTunnel): void => {
    serveRequest(mesh, pod, { identity: peer.id, source, own: own.address }, request).catch((error: unknown) => {
      mesh.onMistake(pod, error);
      request.refuse(503);
    });
  };
  const server: TunnelServer = serveTunnels(socket, mesh.settings.upstream.tunnel, onRequest, () => {
    release();
    cancelDrain();
    pod.servers.delete(server);
  });
  pod.servers.add(server);
  pod.peers.watch(socket, server);
  // TLS looks at the caller's certificate at the handshake only; what is open then goes on to its end.
  const cancelDrain = pod.isLeaving
    ? mesh.clock.after(LATE_CONNECTION_MS, () => server.drain())
    : wakeAt(mesh.clock, peer.notAfter, () => server.drain());
};

/** What a tunnel connection gets that came to a pod which is leaving: its caller waits with a request. */
const LATE_CONNECTION_MS = 1_000;

/** One tunnel to a pod: CONNECT is checked, then guard, upstream, exchange. */
const serveRequest = async (
  mesh: Pipeline,
  pod: ServedPod,
  caller: { readonly identity: SpiffeId; readonly source: SocketAddress; readonly own: IpAddress },
  request: IncomingTunnel,
): Promise<void> => {
  const { identity, source } = caller;
  const target = readConnect(request, caller.own);
  const record = new ConnectionRecord(mesh.vitals, {
    direction: "inbound",
    traceId: traceIdOf(request) ?? newTraceId(),
    source,
    destination: target.ok ? target.value : undefined,
  });
  const snapshot = mesh.snapshot();
  const service = pod.workload && calledService(snapshot, pod.workload, request);
  record.between({
    source: callerOf(snapshot, source, identity),
    sourcePrincipal: identity,
    destination: pod.workload,
    destinationPrincipal: pod.identity,
    service,
    isMutualTls: true,
  });
  const place = takePlace(mesh, pod.connections, 1);
  const release = typeof place === "string" ? undefined : place;
  const refuse = (status: 400 | 401 | 503, { flag, reason, message }: Failure): void => {
    release?.();
    record.fail(flag, reason, message);
    request.refuse(status);
  };
  if (!target.ok) return refuse(target.error.status, { flag: "CONNECT", ...target.error });
  if (typeof place === "string") return refuse(503, noPlace(pod, place));
  try {
    const way = { source, destination: target.value };
    const application = await admit(mesh, pod, record, identity, way);
    if ("reason" in application) {
      return refuse(application.flag === "DENY" ? 401 : 503, pod.isGone ? POD_GONE : application);
    }
    if (request.isGone || pod.isGone) {
      application.destroy();
      return refuse(503, pod.isGone ? POD_GONE : CALLER_GONE);
    }
    const tunnel = request.accept(responseHeaders(pod.workload));
    const expected = expectedAt(pod.workload, target.value.port);
    if (expected === "opaque") return exchange(mesh, pod, record, tunnel, tcpByteStream(application), release);
    let peeked: PeekedStream | undefined;
    const first = await firstOfBoth(
      mesh,
      pod,
      expected,
      application,
      (onBytes) => (peeked = new PeekedStream(tunnel, onBytes)),
    );
    const client = peeked ?? tunnel;
    if (first.spoken === "nothing") {
      application.destroy();
      return refuse(503, pod.isGone ? POD_GONE : SILENT);
    }
    if (first.spoken === "opaque") {
      return exchange(mesh, pod, record, client, applicationStream(application, first), release);
    }
    const handler = new InboundHttp(mesh, pod, { ...way, identity, service }, application, record, release);
    return serveHttp(pod, client, first.spoken, handler, true);
  } catch (error) {
    refuse(503, pod.isGone ? POD_GONE : MISTAKE);
    if (!pod.isGone) mesh.onMistake(pod, error);
  }
};

/** An application's bytes, from the first. */
const applicationStream = (application: Socket, { lastOfApplication }: First): ByteStream => {
  const stream = tcpByteStream(application);
  return lastOfApplication ? new EndedStream(stream, lastOfApplication) : stream;
};

/** accept: somebody called the tunnel port. @returns whether there is a descriptor for it; if not, the connection has ended */
export const admitHandshake = (mesh: Pipeline, pod: ServedPod, socket: Socket): boolean => {
  const release = mesh.descriptors.take();
  if (release) socket.once("close", release);
  else {
    refuseHandshake(mesh, pod, socket, TOO_MANY_OPEN_FILES);
    socket.destroy();
  }
  return release !== undefined;
};

/** decrypt: somebody called the tunnel port and did not prove who it is. To be told before the socket is closed. */
export const refuseHandshake = (
  mesh: Pipeline,
  pod: ServedPod,
  socket: Socket,
  { reason, message }: Pick<Failure, "reason" | "message">,
): void => {
  const record = new ConnectionRecord(mesh.vitals, {
    direction: "inbound",
    traceId: newTraceId(),
    source: peerAddress(socket),
    destination: ownAddress(socket),
  });
  record.between({ destination: pod.workload });
  record.fail("TLS_FAILURE", reason, message);
};

/** accept: the pod's record or certificate did not come in time. */
export const refuseUnready = (
  mesh: Pipeline,
  pod: ServedPod,
  socket: Socket,
  direction: "inbound" | "outbound",
): void => {
  const { client, record } = startRecord(mesh, socket, direction);
  const { namespace, name } = pod.pod;
  record.note({ "pod.namespace": namespace, "pod.name": name });
  const message = `${namespace}/${name} has no record or no certificate yet; is the control plane reachable?`;
  turnAway(client, record, { flag: "CONNECT", reason: "not-ready", message });
};

/** A captured connection that may go on. */
interface Accepted {
  readonly client: ByteStream;
  readonly record: ConnectionRecord;
  readonly captured: CapturedConnection;
}

/** accept: who called whom, within the pod's budget. What cannot be served is turned away here. */
const accept = (
  mesh: Pipeline,
  pod: ServedPod,
  socket: Socket,
  direction: "inbound" | "outbound",
): Accepted | undefined => {
  const { client, record, captured } = startRecord(mesh, socket, direction);
  const place = takePlace(mesh, pod.connections, CAPTURED_DESCRIPTORS);
  if (typeof place !== "string") socket.once("close", place);
  if (!captured.ok) turnAway(client, record, CAPTURE_PROBLEMS[captured.error]);
  else if (typeof place === "string") turnAway(client, record, noPlace(pod, place));
  else return { client, record, captured: captured.value };
  return undefined;
};

/** The client's, and one to where it wants to go. */
const CAPTURED_DESCRIPTORS = 2;

/**
 * A place for one more within a budget of the pod, and the descriptors that it needs.
 * @returns how to give them back, or which of them is missing
 */
const takePlace = (
  { descriptors }: Pipeline,
  budget: Budget,
  count: number,
): (() => void) | "full" | "too-many-open-files" => {
  const place = budget.take();
  if (!place) return "full";
  const files = descriptors.take(count);
  if (!files) place();
  if (!files) return "too-many-open-files";
  return () => {
    place();
    files();
  };
};

const startRecord = (mesh: Pipeline, socket: Socket, direction: "inbound" | "outbound") => {
  const client = tcpByteStream(socket);
  const captured = readCaptured(socket);
  const source = captured.ok ? captured.value.source : peerAddress(socket);
  const destination = captured.ok ? captured.value.destination : ownAddress(socket);
  const record = new ConnectionRecord(mesh.vitals, { direction, traceId: newTraceId(), source, destination });
  return { client, record, captured };
};

/** guard and upstream of both inbound ways: may this caller, and then the application, from the caller's own address. */
const admit = async (
  mesh: Pipeline,
  pod: ServedPod,
  record: ConnectionRecord,
  identity: SpiffeId | undefined,
  { source, destination }: CapturedConnection,
): Promise<Socket | UpstreamFailure> => {
  if (!isReady(pod)) {
    return { flag: "CONNECT", reason: "not-ready", message: "the pod has no record", retry: "never" };
  }
  const verdict = guardInbound(mesh.snapshot(), pod.workload, factsOf(identity, source, destination));
  if (!verdict.ok) {
    const { reason, policy, message } = verdict.error;
    record.note({ policy });
    return { flag: "DENY", reason, message, retry: "never" };
  }
  if (verdict.value.policy !== undefined) record.note({ policy: verdict.value.policy });
  try {
    const limits = { timeoutMs: mesh.settings.upstream.connectTimeoutMs, signal: pod.gone };
    return await connectApplication(pod.stocks, source, destination, limits, verdict.value);
  } catch (error) {
    return upstreamFailure(error);
  }
};

/** exchange: bytes in both directions until both have ended. */
const exchange = (
  mesh: Pipeline,
  pod: ServedPod,
  record: ConnectionRecord,
  client: ByteStream,
  server: ByteStream,
  release?: () => void,
): void => {
  if (pod.isGone || client.isGone) {
    server.reset();
    release?.();
    return turnAway(client, record, pod.isGone ? POD_GONE : CALLER_GONE);
  }
  record.open();
  const joined = splice(client, server, mesh.settings.exchange.idleTimeoutMs, {
    sent: (direction, bytes) => record.moved(direction, bytes),
    ended: (end) => {
      pod.exchanges.delete(place);
      release?.();
      record.close("-", problemOf(end));
    },
  });
  const place = pod.exchanges.add(joined);
};

const problemOf = (end: SpliceEnd): { readonly reason: string; readonly message: string } | undefined => {
  switch (end.kind) {
    case "finished":
      return undefined;
    case "idle":
      return { reason: "idle-timeout", message: "nothing moved for too long" };
    case "stopped":
      return POD_GONE;
    case "drained":
      return { reason: "drained", message: "the proxy was replaced, and the time to end by oneself was over" };
    case "reset":
      return { reason: `reset-by-${end.by}`, message: end.reason };
    default:
      return assertNever(end);
  }
};

/** Says why, and resets: the client's handshake is done already, so that a refusal is a connect and then a reset. */
const turnAway = (client: ByteStream, record: ConnectionRecord, { flag, reason, message }: Failure): void => {
  record.fail(flag, reason, message);
  client.reset();
};

const isReady = (pod: ServedPod): pod is ReadyPod => pod.workload !== undefined;

const factsOf = (identity: SpiffeId | undefined, source: SocketAddress, destination: SocketAddress) => ({
  identity,
  sourceIp: source.address,
  destinationIp: destination.address,
  destinationPort: destination.port,
});

const newTraceId = (): string => randomHex(16);
