import type { ExplainedDestination } from "#mesh/admin/request-explanation.ts";
import type { IpAddress } from "#mesh/ip-address.ts";
import type { Service } from "#mesh/service.ts";
import type { Destination } from "../worker/route/destination.ts";

/** A destination as it is told. */
export const explainedDestination = (destination: Exclude<Destination, { kind: "refused" }>): ExplainedDestination => {
  const { called } = destination;
  if (destination.kind === "service") return explainedService(destination.service, called.address, called.port);
  if (destination.kind === "unknown") return { kind: "unknown", ...called };
  const { namespace, name } = destination.workload;
  return { kind: "workload", workload: { namespace, name }, ...called };
};

/** @param address undefined for a headless Service */
export const explainedService = (
  { namespace, name, hostname }: Service,
  address: IpAddress | undefined,
  port: number,
): ExplainedDestination => ({ kind: "service", service: { namespace, name }, hostname, address, port });
