import type { Permit } from "#mesh/policies/authorization.ts";
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
import { connectDirect } from "./upstream/direct.ts";
import { type UpstreamFailure, upstreamFailure } from "./upstream/failure.ts";
import { dialTunnel, TunnelDialError, type WatchPeer } from "./upstream/tunnel-dial.ts";
import type { ConnectionRecord } from "./vitals/connection-record.ts";

/** What connecting needs beside the pod that calls. */
export interface ConnectContext {
  readonly snapshot: () => Snapshot;
  readonly roundRobin: RoundRobin;
  readonly settings: WorkerSettings;
}

/** A destination that is not refused. */
type Reachable = Exclude<Destination, { kind: "refused" }>;

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
const selectEndpoint = (
  mesh: ConnectContext,
  destination: Reachable,
  tried: ReadonlySet<string>,
): Endpoint | undefined => {
  const { called } = destination;
  if (destination.kind === "service") {
    return mesh.roundRobin.pick(mesh.snapshot(), destination.service, destination.port, called, tried);
  }
  const endpoint: Endpoint | undefined =
    destination.kind === "workload"
      ? workloadEndpoint(destination.workload, called.port, called.address)
      : { kind: "passthrough", address: called, reason: "unknown-address" };
  return endpoint && !tried.has(formatSocketAddress(endpoint.address)) ? endpoint : undefined;
};

const connectEndpoint = async (
  mesh: ConnectContext,
  pod: ServedPod,
  source: SocketAddress,
  destination: Reachable,
  endpoint: Endpoint,
  record: ConnectionRecord,
  permit: Permit,
): Promise<ByteStream> => {
  const { connectTimeoutMs, tunnel: limits } = mesh.settings.upstream;
  const dialLimits = { timeoutMs: connectTimeoutMs, signal: pod.gone };
  if (endpoint.kind !== "tunnel") {
    return tcpByteStream(await connectDirect(pod.stocks, endpoint.address, dialLimits, permit));
  }
  const { dialAs, workload } = pod;
  if (!dialAs || !workload) throw new Error("a pod without a certificate serves nobody");
  const { identity, address } = endpoint;
  if (trustDomainOf(identity) !== dialAs.context.trustDomain) {
    throw new TunnelDialError("trust-domain", `${identity} is of a trust domain that is not trusted here`);
  }
  const key = {
    credentialGeneration: dialAs.generation,
    destinationUid: endpoint.workload.uid,
    expectedIdentity: identity,
    address: address.address,
  };
  const service = destination.kind === "service" ? destination.service : undefined;
  const headers = requestHeaders(workload, source, service, record.traceId, newParentId());
  return pod.tunnels.open(key, { authority: formatSocketAddress(address), headers }, async (onClosed) => {
    const target = { address: address.address, identity };
    const watch: WatchPeer = (socket, connection) => pod.peers.watch(socket, connection);
    return dialTunnel(await pod.stocks.direct.take(), target, dialAs.context, limits, dialLimits, watch, onClosed);
  });
};

/** Notes for telemetry where a connection goes, and why it is not protected where it is not; instead of an earlier endpoint. */
const noteEndpoint = (record: ConnectionRecord, pod: ServedPod, endpoint: Endpoint): void => {
  const destinationPrincipal = undefined;
  if (endpoint.kind === "tunnel") {
    const { workload, address } = endpoint;
    record.between({ destination: workload, sourcePrincipal: pod.identity, destinationPrincipal, isMutualTls: true });
    return record.noteEndpoint({ "dst.hbone_addr": formatSocketAddress(address) });
  }
  const destination = endpoint.kind === "plaintext" ? endpoint.workload : undefined;
  record.between({ destination, sourcePrincipal: undefined, destinationPrincipal, isMutualTls: false });
  record.noteEndpoint({ "dst.endpoint": formatSocketAddress(endpoint.address), plaintext_reason: endpoint.reason });
};

const noEndpoint = (destination: Reachable): UpstreamFailure => ({
  flag: "CONNECT",
  reason: "no-endpoint",
  message:
    destination.kind === "service"
      ? `${destination.service.hostname}:${destination.port.port} has no endpoint that is ready`
      : "the workload has no address that can be reached",
  retry: "never",
});

const newParentId = (): string => randomHex(8);
