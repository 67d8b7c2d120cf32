import { type IpAddress, type IpFamily, parseIpAddress } from "../ip-address.ts";
import { err, ok, type Result } from "../result.ts";
import type { AppProtocol } from "../service.ts";
import { type LabelSelector, type Metadata, namespacedMetadata, parseDnsLabel } from "./metadata.ts";
import {
  flag,
  list,
  mapOf,
  object,
  oneOf,
  optional,
  parsed,
  port,
  type Problem,
  type Reader,
  required,
  text,
} from "./reader.ts";

/** A Kubernetes Service (v1). */
export interface ServiceObject {
  readonly kind: "Service";
  readonly metadata: Metadata;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  /** Empty while none is assigned, and for a headless service. */
  readonly addresses: readonly IpAddress[];
  readonly headless: boolean;
  /** The families it asks for; empty where it leaves that to the cluster. */
  readonly ipFamilies: readonly IpFamily[];
  /** Undefined: the endpoints come from EndpointSlices only. */
  readonly selector: LabelSelector | undefined;
  readonly publishNotReadyAddresses: boolean;
  readonly ports: readonly ServicePortObject[];
}

export interface ServicePortObject {
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a container's port. */
  readonly targetPort: number | string;
  readonly transport: "TCP" | "UDP" | "SCTP";
  readonly protocol: AppProtocol;
}

/** What `appProtocol` or the first part of a port's name declares (KEP-3726 and Istio's port naming). */
const DECLARED_PROTOCOLS: ReadonlyMap<string, AppProtocol> = new Map<string, AppProtocol>([
  ["http", "http1"],
  ["http1", "http1"],
  ["kubernetes.io/ws", "http1"],
  ["http2", "http2"],
  ["kubernetes.io/h2c", "http2"],
  ["grpc", "grpc"],
  ["grpc-web", "grpc"],
  ["tcp", "tcp"],
  ["mysql", "tcp"],
  ["redis", "tcp"],
  ["mongo", "tcp"],
  ["postgres", "tcp"],
  ["tls", "tls"],
  ["https", "tls"],
  ["kubernetes.io/wss", "tls"],
]);

/** The protocol a port declares; `unknown` where it declares none, or a word that nobody knows. */
export const declaredProtocol = (appProtocol: string | undefined, portName: string): AppProtocol => {
  if (appProtocol !== undefined) return DECLARED_PROTOCOLS.get(appProtocol.toLowerCase()) ?? "unknown";
  const name = portName.toLowerCase();
  return DECLARED_PROTOCOLS.get(name) ?? DECLARED_PROTOCOLS.get(name.split("-")[0] ?? "") ?? "unknown";
};

/** A port by number, or by the name that a container gave it (IANA service name: at most 15 characters). */
export const portOrName: Reader<number | string> = (value, path, problems) =>
  typeof value === "string" ? parsed(parsePortName)(value, path, problems) : port(value, path, problems);

const parsePortName = (name: string): Result<string, string> =>
  /^[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?$/.test(name) ? ok(name) : err(`${JSON.stringify(name)} is not a port's name`);

const servicePort: Reader<ServicePortObject> = (value, path, problems) => {
  const read = object({
    name: optional(text, ""),
    port: required(port),
    targetPort: optional(portOrName),
    protocol: optional(oneOf("TCP", "UDP", "SCTP"), "TCP"),
    appProtocol: optional(text),
  })(value, path, problems);
  return {
    name: read.name,
    port: read.port,
    targetPort: read.targetPort ?? read.port,
    transport: read.protocol,
    protocol: declaredProtocol(read.appProtocol, read.name),
  };
};

const parseClusterIp = (value: string): Result<IpAddress | undefined, string> =>
  value === "None" || value === "" ? ok(undefined) : parseIpAddress(value);

const ipFamilyName: Reader<IpFamily> = (value, path, problems) =>
  oneOf("IPv4", "IPv6")(value, path, problems) === "IPv6" ? 6 : 4;

const spec = object({
  type: optional(oneOf("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"), "ClusterIP"),
  clusterIP: optional(parsed(parseClusterIp)),
  clusterIPs: optional(list(parsed(parseClusterIp)), []),
  ipFamilies: optional(list(ipFamilyName), []),
  selector: optional(mapOf(text)),
  publishNotReadyAddresses: optional(flag, false),
  ports: optional(list(servicePort), []),
});

const isHeadless = (value: unknown): boolean => {
  const given = value as { spec?: { clusterIP?: unknown; clusterIPs?: readonly unknown[] } };
  return given.spec?.clusterIP === "None" || given.spec?.clusterIPs?.[0] === "None";
};

export const serviceObject: Reader<ServiceObject> = (value, path, problems) => {
  const read = object({ metadata: required(namespacedMetadata), spec: required(spec) })(value, path, problems);
  const { clusterIP, clusterIPs, selector, ports, ...rest } = read.spec;
  checkPorts(ports, problems);
  // Where there is no name at all, that has been said.
  if (read.metadata.name) parsed(parseDnsLabel)(read.metadata.name, "metadata.name", problems);
  const addresses = [clusterIP, ...clusterIPs].filter((address) => address !== undefined);
  return {
    kind: "Service",
    metadata: read.metadata,
    ...rest,
    headless: isHeadless(value),
    addresses: [...new Set(addresses)],
    selector: selector && selector.size > 0 ? selector : undefined,
    ports,
  };
};

/** As the API server does: several ports need different names, and no number twice for one transport. */
const checkPorts = (ports: readonly ServicePortObject[], problems: Problem[]): void => {
  const seen = new Set<string>();
  for (const [index, { name, port, transport }] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    if (ports.length > 1 && name === "")
      problems.push({ path: `${at}.name`, message: "is required beside other ports" });
    for (const key of [`name ${name}`, `port ${port}/${transport}`]) {
      if (seen.has(key)) problems.push({ path: at, message: `${key} is there twice` });
      if (key !== "name ") seen.add(key);
    }
  }
};
