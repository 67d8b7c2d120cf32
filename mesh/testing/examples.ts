import { type IpAddress, parseIpAddress } from "../ip-address.ts";
import { unwrap } from "../result.ts";
import type { Service } from "../service.ts";
import { emptySnapshot, nextSnapshot, type Snapshot, type SnapshotChange } from "../snapshot.ts";
import { parseSpiffeId, parseTrustDomain, type SpiffeId } from "../spiffe-id.ts";
import { podWorkloadUid, type Workload } from "../workload.ts";

/** For tests: an address that is known to be one. */
export const ip = (text: string): IpAddress => unwrap(parseIpAddress(text));

/** For tests: an identity that is known to be one. */
export const spiffe = (text: string): SpiffeId => unwrap(parseSpiffeId(text));

/** For tests: a pod in the mesh, as `shop/web-0` unless something else is said. */
export const exampleWorkload = (changes: Partial<Workload> = {}): Workload => {
  const { namespace = "shop", name = "web-0" } = changes;
  return {
    uid: podWorkloadUid("Kubernetes", namespace, name),
    name,
    namespace,
    addresses: [ip("10.244.1.10"), ip("fd00:10:244:1::a")],
    node: "node-1",
    cluster: "Kubernetes",
    network: "",
    trustDomain: unwrap(parseTrustDomain("cluster.local")),
    serviceAccount: "web",
    tunnel: "hbone",
    health: "healthy",
    hostNetwork: false,
    owner: { kind: "pod", name },
    canonicalName: "web",
    canonicalRevision: "latest",
    locality: { region: "", zone: "", subzone: "" },
    services: new Map([
      ["shop/web.shop.svc.cluster.local", [{ servicePort: 80, targetPort: 8080, protocol: "unknown" }]],
    ]),
    policies: [],
    ...changes,
  };
};

/** For tests: the service `web` in the namespace `shop`. */
export const exampleService = (changes: Partial<Service> = {}): Service => ({
  name: "web",
  namespace: "shop",
  hostname: "web.shop.svc.cluster.local",
  addresses: [ip("10.96.0.10"), ip("fd00:10:96::10")],
  network: "",
  ports: [{ port: 80, targetPort: 8080, protocol: "unknown" }],
  sendToUnready: false,
  ...changes,
});

/** For tests: a snapshot after another, where only what is named changes. */
export const snapshotWith = (change: Partial<SnapshotChange>, base: Snapshot = emptySnapshot): Snapshot =>
  nextSnapshot(base, base.generation + 1, {
    workloads: new Map(),
    services: new Map(),
    policies: new Map(),
    bundles: new Map(),
    routes: new Map(),
    backendPolicies: new Map(),
    ...change,
  });
