import { type IpAddress, ipFamily, isLoopback, parseIpAddress } from "#mesh/ip-address.ts";
import type { Service } from "#mesh/service.ts";
import { sharedValues } from "#mesh/shared-map.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import type { Workload } from "#mesh/workload.ts";

/** What a pod finds behind the name or address of a URL. */
export type ResolvedHost =
  | { readonly kind: "address"; readonly address: IpAddress }
  | { readonly kind: "service"; readonly service: Service; readonly address: IpAddress }
  /** The name leads to the addresses of its pods. */
  | { readonly kind: "headless"; readonly service: Service }
  | { readonly kind: "none"; readonly message: string };

/** Looks a host up as the resolver of a pod does, with the search domains of a cluster. */
export const resolveHost = (snapshot: Snapshot, source: Workload, host: string): ResolvedHost => {
  const address = parseIpAddress(host);
  if (host === "localhost" || (address.ok && (isLoopback(address.value) || source.addresses.includes(address.value)))) {
    return { kind: "none", message: `${host} is the pod itself: such a call does not leave it, and nobody sees it` };
  }
  if (address.ok) return { kind: "address", address: address.value };
  const service = serviceNamed(snapshot, source.namespace, host.replace(/\.$/, ""));
  if (!service) {
    return {
      kind: "none",
      message: `no Service known to the mesh is called ${host} in namespace ${source.namespace}; if its name leads outside, ask with its address`,
    };
  }
  const [first] = service.addresses;
  if (first === undefined) return { kind: "headless", service };
  const families = new Set(source.addresses.map(ipFamily));
  return {
    kind: "service",
    service,
    address: service.addresses.find((each) => families.has(ipFamily(each))) ?? first,
  };
};

/** `web`, `web.shop`, `web.shop.svc`, and the whole name. */
const serviceNamed = (snapshot: Snapshot, ownNamespace: string, name: string): Service | undefined => {
  const [first = "", namespace = ownNamespace, svc = "svc", ...domain] = name.split(".");
  const prefix = `${first}.${namespace}.${svc}.`;
  for (const service of sharedValues(snapshot.services)) {
    const { hostname } = service;
    if (hostname === name || (domain.length === 0 && svc === "svc" && hostname.startsWith(prefix))) return service;
  }
  return undefined;
};
