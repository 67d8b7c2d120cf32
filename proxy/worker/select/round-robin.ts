import { type Service, serviceName, type ServicePort } from "#mesh/service.ts";
import { type Snapshot, workloadsOf } from "#mesh/snapshot.ts";
import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import type { Workload } from "#mesh/workload.ts";
import { type Endpoint, workloadEndpoint } from "./endpoint.ts";
import { endpointPort } from "./endpoint-port.ts";

/** A workload that can serve a service's port. */
interface Candidate {
  readonly workload: Workload;
  readonly port: number;
}

/** Takes the endpoints of each service in turn. */
export class RoundRobin {
  /** By the snapshot's own list of workloads: a list is never edited, so that a new one means new candidates. */
  readonly #candidates = new WeakMap<readonly Workload[], Map<string, readonly Candidate[]>>();
  readonly #turns = new Map<string, number>();

  /**
   * @param tried addresses that are passed over
   * @returns the next endpoint; undefined where the service has no other that is healthy and has the port
   */
  pick(
    snapshot: Snapshot,
    service: Service,
    port: ServicePort,
    called: SocketAddress,
    tried: ReadonlySet<string> = new Set(),
  ): Endpoint | undefined {
    const candidates = this.#candidatesOf(workloadsOf(snapshot, serviceName(service)), service, port);
    const key = `${serviceName(service)}:${port.port}`;
    const turn = this.#turns.get(key) ?? 0;
    this.#turns.set(key, turn + 1);
    for (let step = 0; step < candidates.length; step++) {
      const candidate = candidates[(turn + step) % candidates.length];
      const endpoint = candidate && workloadEndpoint(candidate.workload, candidate.port, called.address);
      if (endpoint && !tried.has(formatSocketAddress(endpoint.address))) return endpoint;
    }
    return undefined;
  }

  #candidatesOf(workloads: readonly Workload[], service: Service, port: ServicePort): readonly Candidate[] {
    const key = `${serviceName(service)}:${port.port}:${port.targetPort}:${service.sendToUnready}`;
    const known = this.#candidates.get(workloads) ?? new Map<string, readonly Candidate[]>();
    this.#candidates.set(workloads, known);
    const cached = known.get(key);
    if (cached) return cached;
    const candidates = workloads.flatMap((workload) => {
      const target = endpointPort(service, port, workload);
      return target.ok ? [{ workload, port: target.value }] : [];
    });
    known.set(key, candidates);
    return candidates;
  }
}
