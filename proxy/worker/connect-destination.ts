import type { Permit } from "#mesh/policies/authorization.ts";
import type { Service } from "#mesh/service.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import { trustDomainOf } from "#mesh/spiffe-id.ts";
import type { ByteStream } from "../tunnel/byte-stream.ts";
import { tcpByteStream } from "./exchange/tcp-byte-stream.ts";
import { randomHex } from "./random-hex.ts";
import type { Destination } from "./route/destination.ts";
import { type Endpoint, workloadEndpoint } from "./select/endpoint.ts";
import type { RoundRobin } from "./select/round-robin.ts";
import type { ServedPod } from "./served-pod.ts";
import type { WorkerSettings } from "./settings.ts";
import { requestHeaders } from "./tunnel-headers.ts";
import type { DialLimits } from "./upstream/dial.ts";
import { connectDirect } from "./upstream/direct.ts";
import { type UpstreamFailure, upstreamFailure } from "./upstream/failure.ts";
import { dialTunnel, TunnelDialError, type WatchPeer } from "./upstream/tunnel-dial.ts";
import type { Flow } from "../channel/worker-report.ts";
import type { ConnectionRecord } from "./vitals/connection-record.ts";

/** What connecting needs beside the pod that calls. */
export interface ConnectContext {
  readonly snapshot: () => Snapshot;
  readonly roundRobin: RoundRobin;
  readonly settings: WorkerSettings;
}

/** A destination that is not refused. */
export type Reachable = Exclude<Destination, { kind: "refused" }>;

/** How often connecting is tried when it fails: nothing of the application has been sent until then. */
const MAX_ATTEMPTS = 3;

/** select and upstream: an endpoint of the destination, another where connecting fails before anything was sent. */
export const connectDestination = async (
  mesh: ConnectContext,
  pod: ServedPod,
  source: SocketAddress,
  destination: Reachable,
  record: ConnectionRecord,
  permit: Permit,
): Promise<ByteStream | UpstreamFailure> => {
  const tried = new Set<string>();
  let failure: UpstreamFailure | undefined;
  for (let attempt = 0; attempt < MAX_ATTEMPTS && !pod.isGone; attempt++) {
    const endpoint = selectEndpoint(mesh, destination, tried);
    if (!endpoint) break;
    noteEndpoint(record, pod, endpoint);
    try {
      const upstream = await connectEndpoint(mesh, pod, source, destination, endpoint, record, permit);
      // Only now has it proven who it is.
      if (endpoint.kind === "tunnel") record.between({ destinationPrincipal: endpoint.identity });
      return upstream;
    } catch (error) {
      failure = upstreamFailure(error);
      if (failure.retry === "never") break;
      if (failure.retry === "elsewhere") tried.add(formatSocketAddress(endpoint.address));
    }
  }
  return failure ?? noEndpoint(destination);
};

/** @param tried addresses that have failed */
export const selectEndpoint = (
  mesh: ConnectContext,
  destination: Reachable,
  tried: ReadonlySet<string> | undefined,
): Endpoint | undefined => {
  const { called } = destination;
  if (destination.kind === "service") {
    return mesh.roundRobin.pick(mesh.snapshot(), destination.service, destination.port, called, tried);
  }
  const endpoint: Endpoint | undefined =
    destination.kind === "workload"
      ? workloadEndpoint(destination.workload, called.port, called.address)
      : { kind: "passthrough", address: called, reason: "unknown-address" };
  return endpoint && tried?.has(formatSocketAddress(endpoint.address)) !== true ? endpoint : undefined;
};

const connectEndpoint = (
  mesh: ConnectContext,
  pod: ServedPod,
  source: SocketAddress,
  destination: Reachable,
  endpoint: Endpoint,
  record: ConnectionRecord,
  permit: Permit,
): Promise<ByteStream> => {
  if (endpoint.kind !== "tunnel") {
    return connectDirect(pod.stocks, endpoint.address, dialLimits(mesh, pod), permit).then(tcpByteStream);
  }
  const service = destination.kind === "service" ? destination.service : undefined;
  return openTunnel(mesh, pod, source, service, endpoint, record.traceId, permit);
};

/** How long dialling for a pod may take, and what ends it. */
export const dialLimits = ({ settings }: ConnectContext, pod: ServedPod): DialLimits => ({
  timeoutMs: settings.upstream.connectTimeoutMs,
  signal: pod.gone,
});

/**
 * A tunnel to an endpoint, through a connection that there is or that is made.
 * @param service that was called, for the other side's telemetry
 * @param _permit that this pod may
 * @param onLeaving called when the connection that carries it takes no more tunnels
 * @throws TunnelDialError, TunnelError, NoSocketError
 */
export const openTunnel = async (
  mesh: ConnectContext,
  pod: ServedPod,
  source: SocketAddress,
  service: Service | undefined,
  { identity, address, workload: destination }: Extract<Endpoint, { kind: "tunnel" }>,
  traceId: string,
  _permit: Permit,
  onLeaving?: () => void,
): Promise<ByteStream> => {
  const { dialAs, workload } = pod;
  if (!dialAs || !workload) throw new Error("a pod without a certificate serves nobody");
  if (trustDomainOf(identity) !== dialAs.context.trustDomain) {
    throw new TunnelDialError("trust-domain", `${identity} is of a trust domain that is not trusted here`);
  }
  const key = {
    credentialGeneration: dialAs.generation,
    destinationUid: destination.uid,
    expectedIdentity: identity,
    address: address.address,
  };
  const headers = requestHeaders(workload, source, service, traceId, newParentId());
  const request = { authority: formatSocketAddress(address), headers, ...(onLeaving && { onLeaving }) };
  return pod.tunnels.open(key, request, async (onClosed) => {
    const target = { address: address.address, identity };
    const watch: WatchPeer = (socket, connection) => pod.peers.watch(socket, connection);
    const { tunnel } = mesh.settings.upstream;
    const socket = await pod.stocks.direct.take();
    return dialTunnel(socket, target, dialAs.context, tunnel, dialLimits(mesh, pod), watch, onClosed);
  });
};

/** Notes for telemetry where a connection goes, and why it is not protected where it is not; instead of an earlier endpoint. */
const noteEndpoint = (record: ConnectionRecord, pod: ServedPod, endpoint: Endpoint): void => {
  const destinationPrincipal = undefined;
  if (endpoint.kind === "tunnel") {
    const { workload } = endpoint;
    record.between({ destination: workload, sourcePrincipal: pod.identity, destinationPrincipal, isMutualTls: true });
  } else {
    const destination = endpoint.kind === "plaintext" ? endpoint.workload : undefined;
    record.between({ destination, sourcePrincipal: undefined, destinationPrincipal, isMutualTls: false });
  }
  record.noteEndpoint(endpointNotes(endpoint));
};

/** What lines of the log say of an endpoint. */
export const endpointNotes = (endpoint: Endpoint): Flow =>
  endpoint.kind === "tunnel"
    ? tunnelNotes.getOrInsertComputed(endpoint, tunnelNote)
    : { "dst.endpoint": formatSocketAddress(endpoint.address), plaintext_reason: endpoint.reason };

const tunnelNote = ({ address }: Endpoint): Flow => ({ "dst.hbone_addr": formatSocketAddress(address) });

/** Endpoints stay the same values for long, and each request notes one. */
const tunnelNotes = new WeakMap<Endpoint, Flow>();

export const noEndpoint = (destination: Reachable): UpstreamFailure => ({
  flag: "CONNECT",
  reason: "no-endpoint",
  message:
    destination.kind === "service"
      ? `${destination.service.hostname}:${destination.port.port} has no endpoint that is ready`
      : "the workload has no address that can be reached",
  retry: "never",
});

const newParentId = (): string => randomHex(8);
