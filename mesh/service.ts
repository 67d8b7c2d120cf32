import type { IpAddress } from "./ip-address.ts";

/** `<namespace>/<hostname>`, for example `shop/web.shop.svc.cluster.local`. */
export type ServiceName = `${string}/${string}`;

/** A Kubernetes Service: names, virtual addresses and ports. Its endpoints name it, not the other way round. */
export interface Service {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  /** Cluster IPs; empty for a headless service. */
  readonly addresses: readonly IpAddress[];
  readonly network: string;
  readonly ports: readonly ServicePort[];
  /** Whether endpoints that are not ready get traffic too (`publishNotReadyAddresses`). */
  readonly sendToUnready: boolean;
}

export interface ServicePort {
  readonly port: number;
  /** 0: named in the Service, so that each endpoint has its own number. */
  readonly targetPort: number;
  readonly protocol: AppProtocol;
}

/** What is declared to be spoken on a port; `unknown` where nothing is declared. */
export type AppProtocol = "unknown" | "http1" | "http2" | "grpc" | "tcp" | "tls";

/** The key of a service. */
export const serviceName = ({ namespace, hostname }: Pick<Service, "namespace" | "hostname">): ServiceName =>
  `${namespace}/${hostname}`;

/** The DNS name of a Kubernetes Service. */
export const serviceHostname = (namespace: string, name: string, clusterDomain = "cluster.local"): string =>
  `${name}.${namespace}.svc.${clusterDomain}`;
