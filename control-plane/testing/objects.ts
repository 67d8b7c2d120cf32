import { type MeshObject, objectKey, readMeshObject } from "#mesh/objects/mesh-object.ts";
import { unwrap } from "#mesh/result.ts";

/** Parts of an object that a test cares about. */
export type Fields = Readonly<Record<string, unknown>>;

const named = (name: string): { readonly namespace: string; readonly name: string } => {
  const [namespace = "", own = ""] = name.split("/");
  return { namespace, name: own };
};

interface PodFields {
  readonly labels?: Fields;
  readonly annotations?: Fields;
  readonly account?: string;
  readonly node?: string;
  readonly ip?: string;
  readonly ips?: readonly string[];
  readonly ready?: boolean;
  readonly captured?: boolean;
  readonly phase?: string;
  readonly metadata?: Fields;
  readonly spec?: Fields;
  /** Name and number of container ports. */
  readonly ports?: Readonly<Record<string, number>>;
}

/** Pod `namespace/name`: ready, captured, and on node-1 unless said otherwise. */
export const podYaml = (name: string, fields: PodFields = {}): Fields => {
  const {
    labels = {},
    account = "default",
    node = "node-1",
    ready = true,
    captured = true,
    phase = "Running",
  } = fields;
  const ips = fields.ips ?? (fields.ip === undefined ? [] : [fields.ip]);
  const ports = Object.entries(fields.ports ?? {}).map(([name, containerPort]) => ({ name, containerPort }));
  const annotations = { ...(captured ? { "ambient.istio.io/redirection": "enabled" } : {}), ...fields.annotations };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...named(name), labels, annotations, ...fields.metadata },
    spec: { serviceAccountName: account, nodeName: node, containers: [{ name: "app", ports }], ...fields.spec },
    status: {
      phase,
      podIPs: ips.map((ip) => ({ ip })),
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    },
  };
};

/** Service `namespace/name` with a spec. */
export const serviceYaml = (name: string, spec: Fields): Fields => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: named(name),
  spec,
});

/** EndpointSlice `namespace/name` of a service. */
export const sliceYaml = (name: string, service: string, fields: Fields): Fields => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { ...named(name), labels: { "kubernetes.io/service-name": service } },
  addressType: "IPv4",
  ...fields,
});

/** PeerAuthentication `namespace/name` with a spec. */
export const peerAuthenticationYaml = (name: string, spec: Fields, metadata: Fields = {}): Fields => ({
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { ...named(name), ...metadata },
  spec,
});

/** Reads objects that a test knows to be in order. */
export const meshObject = (value: Fields): MeshObject => unwrap(readMeshObject(value));

/** Objects by their keys, as they are collected. */
export const objectMap = (...values: readonly Fields[]): Map<string, MeshObject> =>
  new Map(values.map(meshObject).map((object) => [objectKey(object), object]));

/** HTTPRoute or GRPCRoute `namespace/name` with a spec. */
export const routeYaml = (
  kind: "HTTPRoute" | "GRPCRoute",
  name: string,
  spec: Fields,
  metadata: Fields = {},
): Fields => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind,
  metadata: { ...named(name), ...metadata },
  spec,
});

/** ReferenceGrant `namespace/name`: routes of `from` may refer to Services, or to the one named. */
export const referenceGrantYaml = (name: string, from: string, kind: string, service?: string): Fields => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "ReferenceGrant",
  metadata: named(name),
  spec: {
    from: [{ group: "gateway.networking.k8s.io", kind, namespace: from }],
    to: [{ group: "", kind: "Service", ...(service === undefined ? {} : { name: service }) }],
  },
});

/** XBackendTrafficPolicy `namespace/name` for Services of its namespace. */
export const trafficPolicyYaml = (
  name: string,
  services: readonly string[],
  spec: Fields = {},
  metadata: Fields = {},
): Fields => ({
  apiVersion: "gateway.networking.x-k8s.io/v1alpha1",
  kind: "XBackendTrafficPolicy",
  metadata: { ...named(name), ...metadata },
  spec: { targetRefs: services.map((service) => ({ group: "", kind: "Service", name: service })), ...spec },
});

/** BackendTLSPolicy `namespace/name` for Services, or ports of them (`web#https`), that trusts the ConfigMap `ca`. */
export const tlsPolicyYaml = (
  name: string,
  targets: readonly string[],
  validation: Fields = {},
  metadata: Fields = {},
): Fields => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "BackendTLSPolicy",
  metadata: { ...named(name), ...metadata },
  spec: {
    targetRefs: targets.map((target) => {
      const [service, sectionName] = target.split("#");
      return { group: "", kind: "Service", name: service, ...(sectionName === undefined ? {} : { sectionName }) };
    }),
    validation: {
      caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "ca" }],
      hostname: "pay.example.org",
      ...validation,
    },
  },
});

/** ConfigMap `namespace/name`. */
export const configMapYaml = (name: string, data: Fields): Fields => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: named(name),
  data,
});
