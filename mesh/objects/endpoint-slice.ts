import { type IpAddress, parseIpAddress } from "../ip-address.ts";
import type { AppProtocol } from "../service.ts";
import { type Metadata, namespacedMetadata } from "./metadata.ts";
import { anything, flag, list, object, oneOf, optional, parsed, port, type Reader, required, text } from "./reader.ts";
import { declaredProtocol } from "./service.ts";

/** A Kubernetes EndpointSlice (discovery.k8s.io/v1): some of the endpoints of a service. */
export interface EndpointSliceObject {
  readonly kind: "EndpointSlice";
  readonly metadata: Metadata;
  /** Name of the Service in the same namespace; empty where the label is missing. */
  readonly service: string;
  readonly endpoints: readonly SliceEndpoint[];
  readonly ports: readonly SlicePort[];
}

export interface SliceEndpoint {
  readonly addresses: readonly IpAddress[];
  readonly ready: boolean;
  readonly terminating: boolean;
  readonly nodeName: string;
  /** Name of the pod in the same namespace that the address belongs to. */
  readonly pod: string | undefined;
}

export interface SlicePort {
  readonly name: string;
  readonly port: number;
  readonly transport: "TCP" | "UDP" | "SCTP";
  readonly protocol: AppProtocol;
}

/** Label that names the service of a slice. */
export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

const slicePort: Reader<SlicePort> = (value, path, problems) => {
  const { appProtocol, protocol, ...rest } = object({
    name: optional(text, ""),
    port: required(port),
    protocol: optional(oneOf("TCP", "UDP", "SCTP"), "TCP"),
    appProtocol: optional(text),
  })(value, path, problems);
  return { ...rest, transport: protocol, protocol: declaredProtocol(appProtocol, rest.name) };
};

const conditions = object({ ready: optional(flag, true), terminating: optional(flag, false) });

const endpoint: Reader<SliceEndpoint> = (value, path, problems) => {
  const read = object({
    addresses: required(list(parsed(parseIpAddress))),
    conditions: optional(conditions, { ready: true, terminating: false }),
    nodeName: optional(text, ""),
    targetRef: optional(object({ kind: optional(text, ""), name: optional(text, "") })),
  })(value, path, problems);
  return {
    addresses: read.addresses,
    ...read.conditions,
    nodeName: read.nodeName,
    pod: read.targetRef?.kind === "Pod" ? read.targetRef.name : undefined,
  };
};

export const endpointSliceObject: Reader<EndpointSliceObject> = (value, path, problems) => {
  const read = object({
    metadata: required(namespacedMetadata),
    addressType: required(oneOf("IPv4", "IPv6", "FQDN")),
    endpoints: optional(list(anything), []),
    ports: optional(list(slicePort), []),
  })(value, path, problems);
  if (read.addressType === "FQDN") {
    problems.push({ path: "addressType", message: "FQDN endpoints are not supported; use IPv4 or IPv6" });
    return { kind: "EndpointSlice", metadata: read.metadata, service: "", endpoints: [], ports: [] };
  }
  return {
    kind: "EndpointSlice",
    metadata: read.metadata,
    service: read.metadata.labels.get(SERVICE_NAME_LABEL) ?? "",
    endpoints: list(endpoint)(read.endpoints, "endpoints", problems),
    ports: read.ports,
  };
};
