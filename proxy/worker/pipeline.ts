import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { VerifiedPeer } from "#certs/tls/peer-check.ts";
import type { IpAddress } from "#mesh/ip-address.ts";
import type { Permit } from "#mesh/policies/authorization.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import { type SpiffeId, trustDomainOf } from "#mesh/spiffe-id.ts";
import type { Workload } from "#mesh/workload.ts";
import { serveTunnels } from "../tunnel/http2-server.ts";
import type { ByteStream, IncomingTunnel, TunnelServer } from "../tunnel/tunnel.ts";
import { type CapturedConnection, ownAddress, peerAddress, readCaptured } from "./accept/captured-connection.ts";
import type { HandshakeProblem } from "./decrypt/tunnel-listener.ts";
import { readConnect } from "./exchange/connect-request.ts";
import { splice } from "./exchange/splice.ts";
import { guardInbound, guardOutbound } from "./guard/inbound.ts";
import { type Destination, destinationOf } from "./route/destination.ts";
import { type Endpoint, workloadEndpoint } from "./select/endpoint.ts";
import type { RoundRobin } from "./select/round-robin.ts";
import type { ServedPod } from "./served-pod.ts";
import type { WorkerSettings } from "./settings.ts";
import { callerOf, calledService, requestHeaders, responseHeaders, traceIdOf } from "./tunnel-headers.ts";
import { connectApplication } from "./upstream/application.ts";
import { socketByteStream } from "./upstream/dial.ts";
import { connectDirect } from "./upstream/direct.ts";
import { type UpstreamFailure, upstreamFailure } from "./upstream/failure.ts";
import { dialTunnel } from "./upstream/tunnel-dial.ts";
import { ConnectionRecord, type Vitals } from "./vitals/connection-record.ts";

/** What every connection is served with. */
export interface Pipeline {
  readonly snapshot: () => Snapshot;
  readonly roundRobin: RoundRobin;
  readonly vitals: Vitals;
  readonly settings: WorkerSettings;
}

/** A pod that is served: its own record is there. */
type ReadyPod = ServedPod & { readonly workload: Workload };

/** How many endpoints of a service are tried when connecting fails: nothing of the application has been sent until then. */
const MAX_ENDPOINTS_TRIED = 3;

/** Outbound: a pod calls somebody. accept, guard, route, select, upstream, exchange. */
export const serveOutbound = async (mesh: Pipeline, pod: ServedPod, socket: Socket): Promise<void> => {
  const accepted = accept(mesh, pod, socket, "outbound");
  if (!accepted) return;
  const { record, captured } = accepted;
  record.between({ source: pod.workload, sourcePrincipal: pod.identity });
  const permit = guardOutbound(factsOf(pod.identity, captured.source, captured.destination));
  const destination = destinationOf(mesh.snapshot(), captured.destination);
  if (destination.kind === "refused") {
    return turnAway(socket, record, { flag: "CONNECT", reason: destination.reason, message: destination.message });
  }
  if (destination.kind === "service") record.between({ service: destination.service });
  const upstream = await connectDestination(mesh, pod, captured, destination, record, permit);
  if ("reason" in upstream) return turnAway(socket, record, upstream);
  exchange(mesh, pod, record, socketByteStream(socket), upstream);
};

/** Inbound plaintext: somebody outside the mesh, or without it, calls a pod. accept, guard, upstream, exchange. */
export const serveInbound = async (mesh: Pipeline, pod: ServedPod, socket: Socket): Promise<void> => {
  const accepted = accept(mesh, pod, socket, "inbound");
  if (!accepted) return;
  const { record, captured } = accepted;
  record.between({ source: callerOf(mesh.snapshot(), captured.source, undefined), destination: pod.workload });
  if (!pod.pod.addresses.includes(captured.destination.address)) {
    const message = `${captured.destination.address} is no address of the pod`;
    return turnAway(socket, record, { flag: "CONNECT", reason: "not-own-address", message });
  }
  const application = await admit(mesh, pod, record, undefined, captured);
  if ("reason" in application) return turnAway(socket, record, application);
  exchange(mesh, pod, record, socketByteStream(socket), application);
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
  if (!release || !source || !own) {
    if (!release) mesh.vitals.metrics.refused("inbound", "too-many-tunnel-connections");
    release?.();
    socket.destroy();
    return;
  }
  const onRequest = (request: IncomingTunnel): void => {
    void serveRequest(mesh, pod, { identity: peer.id, source, own: own.address }, request);
  };
  const server: TunnelServer = serveTunnels(socket, mesh.settings.upstream.tunnel, onRequest, () => {
    release();
    pod.servers.delete(server);
  });
  pod.servers.add(server);
};

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
  record.between({
    source: callerOf(snapshot, source, identity),
    sourcePrincipal: identity,
    destination: pod.workload,
    destinationPrincipal: pod.identity,
    service: pod.workload && calledService(snapshot, pod.workload, request),
    isMutualTls: true,
  });
  const release = pod.connections.take();
  if (!target.ok || !release) {
    release?.();
    const { status, reason, message } = target.ok ? tooMany(pod) : target.error;
    record.fail("CONNECT", reason, message);
    return request.refuse(status);
  }
  const captured = { source, destination: target.value };
  const application = await admit(mesh, pod, record, identity, captured);
  if ("reason" in application || request.isGone) {
    release();
    const failure = "reason" in application ? application : CALLER_GONE;
    if (!("reason" in application)) application.reset();
    record.fail(failure.flag, failure.reason, failure.message);
    return request.refuse(failure.flag === "DENY" ? 401 : 503);
  }
  const tunnel = request.accept(responseHeaders(pod.workload));
  tunnel.duplex.once("close", release);
  exchange(mesh, pod, record, tunnel, application);
};

/** decrypt: somebody called the tunnel port and did not prove who it is. */
export const refuseHandshake = (mesh: Pipeline, pod: ServedPod, socket: Socket, problem: HandshakeProblem): void => {
  const record = new ConnectionRecord(mesh.vitals, {
    direction: "inbound",
    traceId: newTraceId(),
    source: peerAddress(socket),
    destination: ownAddress(socket),
  });
  record.between({ destination: pod.workload });
  record.fail("TLS_FAILURE", problem.reason, problem.message);
};

/** accept: the pod's record or certificate did not come in time. */
export const refuseUnready = (
  mesh: Pipeline,
  pod: ServedPod,
  socket: Socket,
  direction: "inbound" | "outbound",
): void => {
  const { record } = startRecord(mesh, socket, direction);
  const { namespace, name } = pod.pod;
  record.note({ "pod.namespace": namespace, "pod.name": name });
  const message = `${namespace}/${name} has no record or no certificate yet; is the control plane reachable?`;
  turnAway(socket, record, { flag: "CONNECT", reason: "not-ready", message });
};

/** A connection that broke the worker's own assumptions: it ends, the others go on. */
export const abandon = (mesh: Pipeline, socket: Socket, direction: "inbound" | "outbound"): void => {
  mesh.vitals.metrics.refused(direction, "internal-error");
  if (!socket.destroyed) socket.resetAndDestroy();
};

/** accept: who called whom, within the pod's budget. What cannot be served is turned away here. */
const accept = (
  mesh: Pipeline,
  pod: ServedPod,
  socket: Socket,
  direction: "inbound" | "outbound",
): { readonly record: ConnectionRecord; readonly captured: CapturedConnection } | undefined => {
  const { record, captured } = startRecord(mesh, socket, direction);
  const release = pod.connections.take();
  if (release) socket.once("close", release);
  if (captured.ok && release) return { record, captured: captured.value };
  const { reason, message } = captured.ok ? tooMany(pod) : CAPTURE_PROBLEMS[captured.error];
  turnAway(socket, record, { flag: "CONNECT", reason, message });
  return undefined;
};

const startRecord = (mesh: Pipeline, socket: Socket, direction: "inbound" | "outbound") => {
  const captured = readCaptured(socket);
  const source = captured.ok ? captured.value.source : peerAddress(socket);
  const destination = captured.ok ? captured.value.destination : ownAddress(socket);
  const record = new ConnectionRecord(mesh.vitals, { direction, traceId: newTraceId(), source, destination });
  return { record, captured };
};

const CAPTURE_PROBLEMS = {
  "self-call": { reason: "self-call", message: "a port of the proxy itself was called" },
  gone: { reason: "gone", message: "the client was gone before it was looked at" },
} as const;

const CALLER_GONE = {
  flag: "-",
  reason: "gone",
  message: "the caller gave up before the application answered",
} as const;

const tooMany = ({ pod, connections }: ServedPod) => ({
  status: 503 as const,
  reason: "too-many-connections",
  message: `${pod.namespace}/${pod.name} has ${connections.used} connections, which is its limit`,
});

/** select and upstream: an endpoint of the destination, another where connecting fails before anything was sent. */
const connectDestination = async (
  mesh: Pipeline,
  pod: ServedPod,
  { source }: CapturedConnection,
  destination: Exclude<Destination, { kind: "refused" }>,
  record: ConnectionRecord,
  permit: Permit,
): Promise<ByteStream | UpstreamFailure> => {
  const tried = new Set<string>();
  let failure: UpstreamFailure | undefined;
  while (tried.size < MAX_ENDPOINTS_TRIED) {
    const endpoint = selectEndpoint(mesh, destination);
    if (!endpoint || tried.has(formatSocketAddress(endpoint.address))) break;
    tried.add(formatSocketAddress(endpoint.address));
    noteEndpoint(record, endpoint);
    try {
      return await connectEndpoint(mesh, pod, source, destination, endpoint, record, permit);
    } catch (error) {
      failure = upstreamFailure(error);
      if (!failure.isSafeToRetry) break;
    }
  }
  return failure ?? noEndpoint(destination);
};

const selectEndpoint = (
  mesh: Pipeline,
  destination: Exclude<Destination, { kind: "refused" }>,
): Endpoint | undefined => {
  const { called } = destination;
  if (destination.kind === "service") {
    return mesh.roundRobin.pick(mesh.snapshot(), destination.service, destination.port, called);
  }
  if (destination.kind === "workload") return workloadEndpoint(destination.workload, called.port, called.address);
  return { kind: "passthrough", address: called, reason: "unknown-address" };
};

const connectEndpoint = async (
  mesh: Pipeline,
  pod: ServedPod,
  source: SocketAddress,
  destination: Destination,
  endpoint: Endpoint,
  record: ConnectionRecord,
  permit: Permit,
): Promise<ByteStream> => {
  const { connectTimeoutMs, tunnel: limits } = mesh.settings.upstream;
  if (endpoint.kind !== "tunnel") {
    return socketByteStream(await connectDirect(pod.stocks, endpoint.address, connectTimeoutMs, permit));
  }
  const { dialAs, workload } = pod;
  if (!dialAs || !workload) throw new Error("the pod has no certificate");
  const { identity, address } = endpoint;
  if (trustDomainOf(identity) !== dialAs.context.trustDomain) {
    throw new Error(`${identity} is of a trust domain that is not trusted here`);
  }
  const key = {
    credentialGeneration: dialAs.generation,
    destinationUid: endpoint.workload.uid,
    expectedIdentity: identity,
    address: address.address,
  };
  const connection = await pod.tunnels.acquire(key, async (onClosed) =>
    dialTunnel(
      await pod.stocks.direct.take(),
      { address: address.address, identity },
      dialAs.context,
      limits,
      connectTimeoutMs,
      onClosed,
    ),
  );
  const service = destination.kind === "service" ? destination.service : undefined;
  const headers = requestHeaders(workload, source, service, record.traceId, newParentId());
  return connection.open({ authority: formatSocketAddress(address), headers });
};

/** Notes for telemetry where a connection goes, and why it is not protected where it is not. */
const noteEndpoint = (record: ConnectionRecord, endpoint: Endpoint): void => {
  if (endpoint.kind === "tunnel") {
    const { workload, identity, address } = endpoint;
    record.between({ destination: workload, destinationPrincipal: identity, isMutualTls: true });
    return record.note({ "dst.hbone_addr": formatSocketAddress(address) });
  }
  const destination = endpoint.kind === "plaintext" ? endpoint.workload : undefined;
  record.between({ destination, sourcePrincipal: undefined, isMutualTls: false });
  record.note({ "dst.endpoint": formatSocketAddress(endpoint.address), plaintext_reason: endpoint.reason });
};

/** guard and upstream of both inbound ways: may this caller, and then the application, from the caller's own address. */
const admit = async (
  mesh: Pipeline,
  pod: ServedPod,
  record: ConnectionRecord,
  identity: SpiffeId | undefined,
  { source, destination }: CapturedConnection,
): Promise<ByteStream | UpstreamFailure> => {
  if (!isReady(pod)) {
    return { flag: "CONNECT", reason: "not-ready", message: "the pod's record is gone", isSafeToRetry: true };
  }
  const verdict = guardInbound(mesh.snapshot(), pod.workload, factsOf(identity, source, destination));
  if (!verdict.ok) {
    const { reason, policy, message } = verdict.error;
    record.note({ policy });
    return { flag: "DENY", reason, message, isSafeToRetry: false };
  }
  if (verdict.value.policy !== undefined) record.note({ policy: verdict.value.policy });
  try {
    const { connectTimeoutMs } = mesh.settings.upstream;
    return socketByteStream(await connectApplication(pod.stocks, source, destination, connectTimeoutMs, verdict.value));
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
): void => {
  const breakOff = (): void => {
    client.reset();
    server.reset();
  };
  pod.breakers.add(breakOff);
  record.open();
  splice(client, server, mesh.settings.exchange.idleTimeoutMs, {
    sent: (direction, bytes) => record.moved(direction, bytes),
    ended: (end) => {
      pod.breakers.delete(breakOff);
      if (end.kind === "finished") return record.close("-");
      if (end.kind === "idle")
        return record.close("-", { reason: "idle-timeout", message: "nothing moved for too long" });
      record.close("-", { reason: `reset-by-${end.by}`, message: end.reason });
    },
  });
};

/** Says why, and resets: the client's handshake is done already, so that a refusal is a connect and then a reset. */
const turnAway = (
  socket: Socket,
  record: ConnectionRecord,
  { flag, reason, message }: Omit<UpstreamFailure, "isSafeToRetry">,
): void => {
  record.fail(flag, reason, message);
  if (!socket.destroyed) socket.resetAndDestroy();
};

const noEndpoint = (destination: Destination): UpstreamFailure => ({
  flag: "CONNECT",
  reason: "no-endpoint",
  message:
    destination.kind === "service"
      ? `${destination.service.hostname}:${destination.port.port} has no endpoint that is ready`
      : "the workload has no address that can be reached",
  isSafeToRetry: false,
});

const isReady = (pod: ServedPod): pod is ReadyPod => pod.workload !== undefined;

const factsOf = (identity: SpiffeId | undefined, source: SocketAddress, destination: SocketAddress) => ({
  identity,
  sourceIp: source.address,
  destinationIp: destination.address,
  destinationPort: destination.port,
});

const newTraceId = (): string => randomBytes(16).toString("hex");
const newParentId = (): string => randomBytes(8).toString("hex");
