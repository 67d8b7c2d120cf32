import type { EndpointSliceObject } from "#mesh/objects/endpoint-slice.ts";
import type { PodObject } from "#mesh/objects/pod.ts";
import type { ServiceObject, ServicePortObject } from "#mesh/objects/service.ts";
import type { WorkloadPort } from "#mesh/workload.ts";

/**
 * The ports of a service as a pod that it selects serves them. A named target port is looked up in the pod's containers; a
 * pod that does not have it does not serve that port.
 */
export const portsOfPod = (service: ServiceObject, pod: PodObject): readonly WorkloadPort[] =>
  tcpPorts(service).flatMap(({ port, targetPort, protocol }) => {
    const number = typeof targetPort === "number" ? targetPort : containerPort(pod, targetPort);
    return number === undefined ? [] : [{ servicePort: port, targetPort: number, protocol }];
  });

/** The ports of a service as a slice of its endpoints serves them: a slice's port is the service's port of the same name. */
export const portsOfSlice = (service: ServiceObject, slice: EndpointSliceObject): readonly WorkloadPort[] =>
  tcpPorts(service).flatMap(({ name, port, protocol }) => {
    const served = slice.ports.find((candidate) => candidate.name === name && candidate.transport === "TCP");
    if (!served) return [];
    return [
      {
        servicePort: port,
        targetPort: served.port,
        protocol: protocol === "unknown" ? served.protocol : protocol,
      },
    ];
  });

/** The number of a container's port with this name. */
export const containerPort = (pod: PodObject, name: string): number | undefined =>
  pod.containers.flatMap(({ ports }) => ports).find((port) => port.name === name && port.protocol === "TCP")
    ?.containerPort;

const tcpPorts = ({ ports }: ServiceObject): readonly ServicePortObject[] =>
  ports.filter(({ transport }) => transport === "TCP");
