import { declared } from "./declared.ts";
import { RPC, SERVICE_PORTS } from "./nginx-config.ts";

/** Answered by a route, and unknown to the server: whoever gets this status is routed. */
export const ROUTED_PATH = "/routed";
export const ROUTED_STATUS = 302;

/** A rule that answers {@link ROUTED_PATH} by itself, below a prefix. */
export const routedRule = (prefix = ""): object => ({
  matches: [{ path: { type: "Exact", value: `${prefix}${ROUTED_PATH}` } }],
  filters: [{ type: "RequestRedirect", requestRedirect: { hostname: "routed.example", statusCode: ROUTED_STATUS } }],
});

/** Where a route is attached. */
export const serviceParent = (name: string, port: number): object => ({ group: "", kind: "Service", name, port });

const backendRefs = (port: number): readonly object[] => [{ name: "server", port }];

/** What is in force on the ports of HTTP: a header that decides first, and a rule for everybody else; for gRPC a call by its name. */
export const meshRoutes = (): string =>
  [
    declared("gateway.networking.k8s.io/v1", "HTTPRoute", "meshed/http", {
      spec: {
        parentRefs: [serviceParent("server", SERVICE_PORTS.http)],
        rules: [
          {
            matches: [{ headers: [{ name: "x-canary", value: "yes" }] }],
            backendRefs: backendRefs(SERVICE_PORTS.http),
          },
          routedRule(),
          { backendRefs: backendRefs(SERVICE_PORTS.http) },
        ],
      },
    }),
    declared("gateway.networking.k8s.io/v1", "GRPCRoute", "meshed/grpc", {
      spec: {
        parentRefs: [serviceParent("server", SERVICE_PORTS.http2)],
        rules: [{ matches: [{ method: RPC }], backendRefs: backendRefs(SERVICE_PORTS.http2) }],
      },
    }),
  ].join("");
