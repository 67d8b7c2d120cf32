import type { Service } from "#mesh/service.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";
import type { Workload } from "#mesh/workload.ts";
import type { Labels } from "../../channel/worker-report.ts";

/** Both ends of a connection, as far as they are known, seen from one of them. */
export interface ConnectionEnds {
  readonly reporter: "source" | "destination";
  readonly source: Workload | undefined;
  readonly destination: Workload | undefined;
  readonly service: Pick<Service, "name" | "namespace" | "hostname"> | undefined;
  /** From verified certificates only. */
  readonly sourcePrincipal: SpiffeId | undefined;
  readonly destinationPrincipal: SpiffeId | undefined;
  readonly isMutualTls: boolean;
}

const UNKNOWN = "unknown";

/** The labels of Istio's TCP metrics, in Istio's names and with its words for what is not known. */
export const tcpLabels = (ends: ConnectionEnds): Labels => ({
  reporter: ends.reporter,
  ...endLabels("source", ends.source, ends.sourcePrincipal),
  ...localityLabels("source", ends.source),
  ...endLabels("destination", ends.destination, ends.destinationPrincipal),
  ...localityLabels("destination", ends.destination),
  ...serviceLabels(ends.service),
  request_protocol: "tcp",
  ...securityLabels(ends),
});

/** Who one end is: the owner of a pod, never the pod. */
export const endLabels = (
  end: "source" | "destination",
  workload: Workload | undefined,
  principal: SpiffeId | undefined,
): Labels => ({
  [`${end}_workload`]: workload?.owner.name ?? UNKNOWN,
  [`${end}_workload_namespace`]: workload?.namespace ?? UNKNOWN,
  [`${end}_canonical_service`]: workload?.canonicalName ?? UNKNOWN,
  [`${end}_canonical_revision`]: workload?.canonicalRevision ?? "latest",
  [`${end}_principal`]: principal ?? UNKNOWN,
  [`${end}_app`]: workload?.canonicalName ?? UNKNOWN,
  [`${end}_version`]: workload?.canonicalRevision ?? UNKNOWN,
  [`${end}_cluster`]: workload?.cluster ?? UNKNOWN,
});

/** Only metrics of connections have these. */
const localityLabels = (end: "source" | "destination", workload: Workload | undefined): Labels => ({
  [`${end}_region`]: workload?.locality.region || UNKNOWN,
  [`${end}_zone`]: workload?.locality.zone || UNKNOWN,
});

/** The service that was called. */
export const serviceLabels = (service: ConnectionEnds["service"]): Labels => ({
  destination_service: service?.hostname ?? UNKNOWN,
  destination_service_name: service?.name ?? UNKNOWN,
  destination_service_namespace: service?.namespace ?? UNKNOWN,
});

/** Both reporters know it, as with ztunnel; Envoy's source says `unknown`. */
export const securityLabels = ({ isMutualTls }: Pick<ConnectionEnds, "isMutualTls">): Labels => ({
  connection_security_policy: isMutualTls ? "mutual_tls" : "none",
});

const numbers = new WeakMap<Workload, number>();
let lastNumber = 0;

/** A record that was replaced may have other labels: it gets a number of its own. @returns 0 for nobody */
export const workloadNumber = (workload: Workload | undefined): number => {
  if (!workload) return 0;
  const known = numbers.get(workload);
  if (known !== undefined) return known;
  numbers.set(workload, ++lastNumber);
  return lastNumber;
};
