import { AMBIENT, namespace, pod, service } from "#test/local/yaml.ts";
import { declared } from "../mesh/declared.ts";
import { CALLED_PREFIX, RPC, SERVER_PORTS, SERVICE_PORTS } from "../mesh/nginx-config.ts";
import { LOAD, nginx, onNode, peerAuthentication, serviceAccount } from "../mesh/objects.ts";
import { routedRule, serviceParent } from "../mesh/routes.ts";

/** How much there is in a mesh beside its traffic. */
export interface Size {
  readonly name: string;
  /** Attached to each of both ports of the service that is called: HTTPRoutes, and GRPCRoutes. */
  readonly routes: number;
  /** Endpoints of other services, at addresses where nobody is. */
  readonly otherEndpoints: number;
}

/** Those that answer. */
export const REPLICAS = 3;

export const SIZES: readonly Size[] = [
  { name: "few", routes: 1, otherEndpoints: 0 },
  { name: "many", routes: 1000, otherEndpoints: 10_000 },
];

/** For people. */
export const describeSize = ({ routes, otherEndpoints }: Size): string =>
  `${routes} of HTTPRoute and GRPCRoute each, ${otherEndpoints + REPLICAS} endpoints`;

/** As many as an EndpointSlice is filled with. */
const ENDPOINTS_OF_A_SLICE = 100;

/** A client on the first node, three servers on the second, and the routes and endpoints of this size. */
export const scaleObjects = (folder: string, size: Size): Readonly<Record<string, string>> => ({
  "mesh.yaml": [
    namespace("meshed", AMBIENT),
    serviceAccount("meshed/client"),
    serviceAccount("meshed/server"),
    pod("meshed/client", [], { ...onNode(1), spec: { serviceAccountName: "client", containers: [LOAD] } }),
    ...Array.from({ length: REPLICAS }, (_, index) => server(folder, index)),
    service("meshed/server", { selector: { app: "server" }, ports: PORTS }),
    peerAuthentication("meshed/default"),
  ].join(""),
  "routes.yaml": Array.from(
    { length: size.routes },
    (_, index) => httpRoute(size, index) + grpcRoute(size, index),
  ).join(""),
  "endpoints.yaml": Array.from({ length: otherServices(size) }, (_, index) => otherService(index)).join(""),
});

export const serverName = (index: number): string => `server-${index}`;

const PORTS = [
  { name: "http", port: SERVICE_PORTS.http, targetPort: SERVER_PORTS.http },
  { name: "grpc", port: SERVICE_PORTS.http2, targetPort: SERVER_PORTS.http2 },
];

const server = (folder: string, index: number): string =>
  pod(`meshed/${serverName(index)}`, [], {
    ...onNode(2),
    labels: { app: "server" },
    spec: { serviceAccountName: "server", containers: [nginx(folder, serverName(index))] },
  });

const otherServices = ({ otherEndpoints }: Size): number => otherEndpoints / ENDPOINTS_OF_A_SLICE;
const otherName = (index: number): string => `other-${index}`;

/** One path for each, and a header that decides before it. The last one leads to the servers, all others to other services. */
const httpRoute = (size: Size, index: number): string => {
  const isCalled = index === size.routes - 1;
  const prefix = isCalled ? CALLED_PREFIX : `/route-${index + 1}`;
  const path = { type: "PathPrefix", value: prefix };
  const backendRefs = [{ name: backendName(size, index), port: SERVICE_PORTS.http }];
  return declared("gateway.networking.k8s.io/v1", "HTTPRoute", `meshed/http-${index}`, {
    spec: {
      parentRefs: [serviceParent("server", SERVICE_PORTS.http)],
      rules: [
        { matches: [{ path, headers: [{ name: "x-canary", value: "yes" }] }], backendRefs },
        ...(isCalled ? [routedRule(prefix)] : []),
        { matches: [{ path }], backendRefs },
      ],
    },
  });
};

/** One method for each, and the last one leads to the servers. */
const grpcRoute = (size: Size, index: number): string => {
  const isCalled = index === size.routes - 1;
  const method = isCalled ? RPC : { service: `shop.Service${index}`, method: RPC.method };
  return declared("gateway.networking.k8s.io/v1", "GRPCRoute", `meshed/grpc-${index}`, {
    spec: {
      parentRefs: [serviceParent("server", SERVICE_PORTS.http2)],
      rules: [{ matches: [{ method }], backendRefs: [{ name: backendName(size, index), port: SERVICE_PORTS.http2 }] }],
    },
  });
};

const backendName = (size: Size, index: number): string =>
  index === size.routes - 1 ? "server" : otherName(index % otherServices(size));

const otherService = (index: number): string =>
  service(`meshed/${otherName(index)}`, { ports: PORTS }) +
  declared("discovery.k8s.io/v1", "EndpointSlice", `meshed/${otherName(index)}`, {
    metadata: { labels: { "kubernetes.io/service-name": otherName(index) } },
    addressType: "IPv4",
    endpoints: Array.from({ length: ENDPOINTS_OF_A_SLICE }, (_, endpoint) => ({
      addresses: [emptyAddress(index * ENDPOINTS_OF_A_SLICE + endpoint)],
    })),
    ports: PORTS.map(({ name, targetPort }) => ({ name, port: targetPort })),
  });

/** Of the range that is for measurements and for nobody else (RFC 2544). */
const emptyAddress = (index: number): string => `198.18.${Math.floor(index / 250)}.${(index % 250) + 1}`;
