import type { Service } from "#mesh/service.ts";
import type { Reachable } from "../connect-destination.ts";
import type { Endpoint } from "../select/endpoint.ts";
import type { ServedPod } from "../served-pod.ts";
import type { ConnectionEnds } from "../vitals/tcp-labels.ts";

/** The ends of a request of a pod, as long as nobody is chosen to serve it. */
export const callerEnds = (pod: ServedPod, service: Service | undefined): ConnectionEnds => ({
  reporter: "source",
  source: pod.workload,
  destination: undefined,
  service,
  sourcePrincipal: pod.identity,
  destinationPrincipal: undefined,
  isMutualTls: false,
});

/** The ends of a request of a pod to an endpoint that has proven who it is. */
export const endsAt = (pod: ServedPod, destination: Reachable, endpoint: Endpoint): ConnectionEnds => {
  // Others are made for each request.
  if (destination.kind !== "service") return makeEnds(pod, undefined, endpoint);
  const { service } = destination;
  const known = pod.requestEnds.get(endpoint);
  if (known && known.source === pod.workload && known.service === service) return known;
  const ends = makeEnds(pod, service, endpoint);
  pod.requestEnds.set(endpoint, ends);
  return ends;
};

/** The same before it has. */
export const unprovenEndsAt = (pod: ServedPod, destination: Reachable, endpoint: Endpoint): ConnectionEnds => ({
  ...endsAt(pod, destination, endpoint),
  destinationPrincipal: undefined,
});

const makeEnds = (pod: ServedPod, service: Service | undefined, endpoint: Endpoint): ConnectionEnds => {
  const isTunnel = endpoint.kind === "tunnel";
  return {
    reporter: "source",
    source: pod.workload,
    destination: endpoint.kind === "passthrough" ? undefined : endpoint.workload,
    service,
    sourcePrincipal: isTunnel ? pod.identity : undefined,
    destinationPrincipal: isTunnel ? endpoint.identity : undefined,
    isMutualTls: isTunnel,
  };
};
