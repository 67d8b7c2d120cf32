import type { IpAddress, IpFamily } from "../ip-address.ts";
import type { PodObject } from "../objects/pod.ts";

/**
 * What exists, as whoever runs the pods needs to know it: GET /inventory of the control plane's admin API. With
 * `?after=<version>&waitMs=<n>` the answer comes when the version differs, or after the time.
 */
export interface Inventory {
  /** Changes with the content; compare for equality only. */
  readonly version: string;
  readonly namespaces: readonly InventoryNamespace[];
  readonly pods: readonly InventoryPod[];
  readonly services: readonly InventoryService[];
}

export interface InventoryNamespace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A pod as it is declared, what the runtime assigned to it left out. */
export interface InventoryPod extends Omit<PodObject, "metadata" | "status"> {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Changes when the declaration does, so that the runtime knows when to replace the pod. */
  readonly specHash: string;
}

export interface InventoryService {
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  readonly headless: boolean;
  /** Whether it wants a virtual address at all: neither headless nor ExternalName. */
  readonly wantsAddress: boolean;
  /** Of which families; empty: of all that there are. */
  readonly ipFamilies: readonly IpFamily[];
  readonly addresses: readonly IpAddress[];
  readonly ports: readonly { readonly port: number; readonly transport: "TCP" | "UDP" | "SCTP" }[];
  readonly endpoints: readonly InventoryEndpoint[];
}

/** One address behind a service. */
export interface InventoryEndpoint {
  readonly address: IpAddress;
  readonly ready: boolean;
  /** Service port -> the endpoint's own port, for TCP. */
  readonly ports: readonly { readonly port: number; readonly targetPort: number }[];
}
