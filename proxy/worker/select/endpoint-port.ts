import { err, ok, type Result } from "#mesh/result.ts";
import { type Service, serviceName, type ServicePort } from "#mesh/service.ts";
import type { Workload } from "#mesh/workload.ts";

/** Why a workload behind a service gets nothing. */
export type Exclusion = "not-ready" | "no-such-port";

/** The port at which a workload serves a service's port. */
export const endpointPort = (service: Service, port: ServicePort, workload: Workload): Result<number, Exclusion> => {
  const own = workload.services.get(serviceName(service))?.find(({ servicePort }) => servicePort === port.port);
  const target = own?.targetPort || port.targetPort;
  if (!own || target <= 0) return err("no-such-port");
  return workload.health === "healthy" || service.sendToUnready ? ok(target) : err("not-ready");
};
