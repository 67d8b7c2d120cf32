import type { ServiceObject } from "#mesh/objects/service.ts";
import { type Service, serviceHostname, serviceName, type ServiceName } from "#mesh/service.ts";
import { NETWORK } from "./mesh-context.ts";

/** Whether the mesh balances this service. An ExternalName is no more than a DNS alias. */
export const isInMesh = (service: ServiceObject): boolean => service.type !== "ExternalName";

/** The name of a Kubernetes service in the mesh. */
export const meshServiceName = (namespace: string, name: string): ServiceName =>
  serviceName({ namespace, hostname: serviceHostname(namespace, name) });

/** A Kubernetes service as the mesh sees it: its TCP ports only. */
export const serviceModel = ({ metadata, addresses, ports, publishNotReadyAddresses }: ServiceObject): Service => ({
  name: metadata.name,
  namespace: metadata.namespace,
  hostname: serviceHostname(metadata.namespace, metadata.name),
  addresses,
  network: NETWORK,
  ports: ports
    .filter(({ transport }) => transport === "TCP")
    .map(({ port, targetPort, protocol }) => ({
      port,
      targetPort: typeof targetPort === "number" ? targetPort : 0,
      protocol,
    })),
  sendToUnready: publishNotReadyAddresses,
});
