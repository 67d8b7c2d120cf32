import { type Service, serviceName } from "#mesh/service.ts";
import { sharedGet } from "#mesh/shared-map.ts";
import { type Snapshot, workloadAt } from "#mesh/snapshot.ts";
import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";
import { type Workload, workloadIdentity } from "#mesh/workload.ts";
import { formatBaggage } from "#wire/hbone/baggage.ts";
import { formatForwarded, forwardedHost } from "#wire/hbone/forwarded.ts";
import { formatTraceParent, parseTraceParent } from "#wire/hbone/traceparent.ts";
import type { IncomingTunnel } from "../tunnel/tunnel.ts";

/** What both ends of a tunnel tell each other for their telemetry. Nothing of it decides anything. */
export const requestHeaders = (
  source: Workload,
  client: SocketAddress,
  service: Service | undefined,
  traceId: string,
  parentId: string,
): Readonly<Record<string, string>> => ({
  baggage: baggageOf(source),
  forwarded: formatForwarded({ client: formatSocketAddress(client), host: service?.hostname }),
  traceparent: formatTraceParent({ traceId, parentId }),
});

export const responseHeaders = (destination: Workload | undefined): Readonly<Record<string, string>> =>
  destination ? { baggage: baggageOf(destination) } : {};

/** The id under which the caller logs this connection. */
export const traceIdOf = (request: IncomingTunnel): string | undefined =>
  parseTraceParent(request.header("traceparent") ?? "")?.traceId;

/**
 * Who called, for telemetry. The address alone proves nothing: a record whose identity is not the one that was verified is
 * somebody else's, who had the address before or has it now.
 * @param verified undefined for plaintext, where there is only the address
 */
export const callerOf = (
  snapshot: Snapshot,
  source: SocketAddress,
  verified: SpiffeId | undefined,
): Workload | undefined => {
  const workload = workloadAt(snapshot, source.address);
  return workload && (verified === undefined || workloadIdentity(workload) === verified) ? workload : undefined;
};

/** The service that the caller says it called, if the pod is an endpoint of it. */
export const calledService = (snapshot: Snapshot, workload: Workload, request: IncomingTunnel): Service | undefined => {
  const host = forwardedHost(request.header("forwarded") ?? "");
  if (host === undefined) return undefined;
  for (const name of workload.services.keys()) {
    if (!name.endsWith(host) || name[name.length - host.length - 1] !== "/") continue;
    const service = sharedGet(snapshot.services, name);
    return service && serviceName(service) === name ? service : undefined;
  }
  return undefined;
};

/** Records never change, and each connection sends one. */
const baggages = new WeakMap<Workload, string>();

const baggageOf = (workload: Workload): string =>
  baggages.getOrInsertComputed(workload, ({ cluster, namespace, owner, canonicalName, canonicalRevision, locality }) =>
    formatBaggage({
      cluster,
      namespace,
      ownerKind: owner.kind,
      ownerName: owner.name,
      service: canonicalName,
      revision: canonicalRevision,
      region: locality.region,
      zone: locality.zone,
    }),
  );
