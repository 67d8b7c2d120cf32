import type { ServiceTarget } from "#mesh/routes/decide-http-route.ts";
import { sharedGet } from "#mesh/shared-map.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import type { Reachable } from "../connect-destination.ts";
import { type MeshError, upstreamError } from "./mesh-error.ts";

/** The Service's port that a rule sends the request to. */
export const backendOf = (
  snapshot: Snapshot,
  backend: ServiceTarget,
  called: Reachable["called"],
): Reachable | MeshError => {
  const service = sharedGet(snapshot.services, backend.service);
  const port = service?.ports.find((candidate) => candidate.port === backend.port);
  if (service && port) return { kind: "service", service, port, called };
  const message = `the backend ${backend.service}:${backend.port} is not known`;
  return { ...upstreamError("invalid-backend", message, "NC"), status: 500 };
};
