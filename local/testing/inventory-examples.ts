import type { InventoryPod, InventoryService } from "#mesh/admin/inventory.ts";
import { type IpAddress, parseIpAddress } from "#mesh/ip-address.ts";
import type { Container } from "#mesh/objects/pod.ts";
import { unwrap } from "#mesh/result.ts";

export const address = (text: string): IpAddress => unwrap(parseIpAddress(text));

export const exampleContainer = (changes: Partial<Container> = {}): Container => ({
  name: "app",
  command: ["sleep"],
  args: ["1000"],
  env: [],
  workingDir: undefined,
  ports: [],
  runAsUser: undefined,
  addCapabilities: [],
  dropCapabilities: [],
  ...changes,
});

export const examplePod = (changes: Partial<InventoryPod> = {}): InventoryPod => ({
  kind: "Pod",
  namespace: "shop",
  name: "web-0",
  labels: {},
  annotations: {},
  specHash: "1",
  serviceAccount: "web",
  nodeName: "",
  hostNetwork: false,
  restartPolicy: "Always",
  terminationGracePeriodSeconds: 30,
  initContainers: [],
  containers: [exampleContainer()],
  ...changes,
});

export const exampleService = (changes: Partial<InventoryService> = {}): InventoryService => {
  const { namespace = "shop", name = "web" } = changes;
  return {
    namespace,
    name,
    hostname: `${name}.${namespace}.svc.cluster.local`,
    headless: false,
    wantsAddress: true,
    ipFamilies: [],
    addresses: [address("10.96.0.16"), address("fd00:10:96::10")],
    ports: [{ port: 80, transport: "TCP" }],
    endpoints: [exampleEndpoint("10.244.1.10"), exampleEndpoint("fd00:10:244:1::a")],
    ...changes,
  };
};

export const exampleEndpoint = (text: string, ready = true): InventoryService["endpoints"][number] => ({
  address: address(text),
  ready,
  ports: [{ port: 80, targetPort: 8080 }],
});
