import { type IpAddress, ipFamily } from "#mesh/ip-address.ts";
import { type Service, type ServiceName, serviceName, type ServicePort } from "#mesh/service.ts";
import { type Snapshot, workloadsOf } from "#mesh/snapshot.ts";
import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import type { Workload } from "#mesh/workload.ts";
import { type Endpoint, workloadEndpoint } from "./endpoint.ts";

/** The endpoints of a service's port, as they are in a snapshot's own list of workloads: that is never edited. */
interface Rotation {
  /** The snapshot, by its number, for which it was found to be so last. */
  seen: number;
  readonly workloads: readonly Workload[];
  /** For callers that use IPv4, and IPv6. */
  readonly endpoints: Record<4 | 6, readonly Endpoint[] | undefined>;
  turn: number;
}

interface Rotations {
  readonly name: ServiceName;
  readonly ports: Map<ServicePort, Rotation>;
}

const newRotations = (service: Service): Rotations => ({ name: serviceName(service), ports: new Map() });

const NONE: ReadonlySet<string> = new Set();

/** Takes the endpoints of each service in turn. */
export class RoundRobin {
  /** By the records of a service and its ports: turns go on as long as these stay. */
  readonly #rotations = new WeakMap<Service, Rotations>();
  #snapshot: Snapshot | undefined;
  #snapshots = 0;

  /**
   * @param tried addresses that are passed over
   * @returns the next endpoint, the same value for the same one as long as the service stays as it is; undefined where the
   *   service has no other that is healthy and has the port
   */
  pick(
    snapshot: Snapshot,
    service: Service,
    port: ServicePort,
    called: SocketAddress,
    tried: ReadonlySet<string> = NONE,
  ): Endpoint | undefined {
    const rotation = this.#rotationOf(snapshot, service, port);
    const family = ipFamily(called.address);
    const endpoints = (rotation.endpoints[family] ??= endpointsAmong(
      rotation.workloads,
      service,
      port,
      called.address,
    ));
    const turn = rotation.turn++;
    for (let step = 0; step < endpoints.length; step++) {
      const endpoint = endpoints[(turn + step) % endpoints.length];
      if (endpoint && (tried.size === 0 || !tried.has(formatSocketAddress(endpoint.address)))) return endpoint;
    }
    return undefined;
  }

  #rotationOf(snapshot: Snapshot, service: Service, port: ServicePort): Rotation {
    const { name, ports } = this.#rotations.getOrInsertComputed(service, newRotations);
    const known = ports.get(port);
    const seen = this.#numberOf(snapshot);
    if (known?.seen === seen) return known;
    const workloads = workloadsOf(snapshot, name);
    if (known?.workloads === workloads) {
      known.seen = seen;
      return known;
    }
    const rotation = { seen, workloads, endpoints: { 4: undefined, 6: undefined }, turn: known?.turn ?? 0 };
    ports.set(port, rotation);
    return rotation;
  }

  /** Snapshots that are over are not held on to. */
  #numberOf(snapshot: Snapshot): number {
    if (snapshot !== this.#snapshot) {
      this.#snapshot = snapshot;
      this.#snapshots++;
    }
    return this.#snapshots;
  }
}

const endpointsAmong = (
  workloads: readonly Workload[],
  service: Service,
  port: ServicePort,
  called: IpAddress,
): readonly Endpoint[] =>
  workloads.flatMap((workload) => {
    const endpoint = endpointAt(workload, service, port, called);
    return endpoint ? [endpoint] : [];
  });

/** A workload as an endpoint of a service's port; undefined where it has not the port, or may not get requests now. */
export const endpointAt = (
  workload: Workload,
  service: Service,
  port: ServicePort,
  called: IpAddress,
): Endpoint | undefined => {
  const own = workload.services.get(serviceName(service))?.find(({ servicePort }) => servicePort === port.port);
  const target = own?.targetPort || port.targetPort;
  const isUsable = workload.health === "healthy" || service.sendToUnready;
  return isUsable && own && target > 0 ? workloadEndpoint(workload, target, called) : undefined;
};
