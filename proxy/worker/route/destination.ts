import { PROXY_PORTS } from "#mesh/ports.ts";
import type { Service, ServicePort } from "#mesh/service.ts";
import { serviceAt, type Snapshot, workloadAt } from "#mesh/snapshot.ts";
import type { SocketAddress } from "#mesh/socket-address.ts";
import type { Workload } from "#mesh/workload.ts";

/** What the address that a pod called stands for. */
export type Destination =
  | { readonly kind: "service"; readonly service: Service; readonly port: ServicePort; readonly called: SocketAddress }
  /** A pod, called by its own address. */
  | { readonly kind: "workload"; readonly workload: Workload; readonly called: SocketAddress }
  /** An address that the mesh knows nothing of. */
  | { readonly kind: "unknown"; readonly called: SocketAddress }
  | { readonly kind: "refused"; readonly reason: "self-call" | "no-such-service-port"; readonly message: string };

/** Looks up a called address: a service by its virtual address, else a workload by its own, else it is unknown. */
export const destinationOf = (snapshot: Snapshot, called: SocketAddress): Destination => {
  const service = serviceAt(snapshot, called.address);
  if (service) return servicePort(service, called);
  const workload = workloadAt(snapshot, called.address);
  if (!workload) return { kind: "unknown", called };
  if (PROXY_PORTS.has(called.port)) {
    return { kind: "refused", reason: "self-call", message: `port ${called.port} of a pod is the proxy's own` };
  }
  return { kind: "workload", workload, called };
};

const servicePort = (service: Service, called: SocketAddress): Destination => {
  const port = service.ports.find((candidate) => candidate.port === called.port);
  if (port) return { kind: "service", service, port, called };
  const ports = service.ports.map((candidate) => candidate.port).join(", ");
  const message = `${service.hostname} has no port ${called.port}, only ${ports || "none"}`;
  return { kind: "refused", reason: "no-such-service-port", message };
};
