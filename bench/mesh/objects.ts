import { join } from "node:path";
import { AMBIENT, namespace, pod, service } from "#test/local/yaml.ts";
import { type PeerPair, peerContainer } from "../ways/peer-pair.ts";
import { declared } from "./declared.ts";
import { SERVER_PORTS, serverFolder, SERVICE_PORTS } from "./nginx-config.ts";
import { meshRoutes } from "./routes.ts";

/** What the bench's mesh is declared with: a client on the first node, a server on the second, once in the mesh and once not. */
export const meshObjects = (folder: string, pairs: readonly PeerPair[]): string =>
  [
    namespace("plain"),
    namespace("meshed", AMBIENT),
    pod("plain/client", [], {
      ...onNode(1),
      spec: { containers: [LOAD, ...pairs.map((pair) => peerContainer(pair, folder, "client"))] },
    }),
    pod("plain/server", [], {
      ...onNode(2),
      spec: { containers: [nginx(folder, "plain"), ...pairs.map((pair) => peerContainer(pair, folder, "server"))] },
    }),
    serviceAccount("meshed/client"),
    serviceAccount("meshed/server"),
    pod("meshed/client", [], { ...onNode(1), spec: { serviceAccountName: "client", containers: [LOAD] } }),
    pod("meshed/server", [], {
      ...onNode(2),
      labels: { app: "server" },
      spec: { serviceAccountName: "server", containers: [nginx(folder, "meshed")] },
    }),
    service("meshed/server", {
      selector: { app: "server" },
      ports: [
        { name: "http", port: SERVICE_PORTS.http, targetPort: SERVER_PORTS.http },
        { name: "grpc", port: SERVICE_PORTS.http2, targetPort: SERVER_PORTS.http2 },
        { name: "tcp-http", port: SERVICE_PORTS.bytes, targetPort: SERVER_PORTS.bytes },
        { name: "tcp-http2", port: SERVICE_PORTS.bytesOfHttp2, targetPort: SERVER_PORTS.bytesOfHttp2 },
      ],
    }),
    meshRoutes(),
    peerAuthentication("meshed/default"),
  ].join("");

/** The load is started in it later, for as long as a measurement lasts. */
export const LOAD = { name: "load", image: "load", command: ["sleep", "infinity"] };

export const nginx = (folder: string, name: string): object => ({
  name: "server",
  image: "nginx",
  command: ["nginx", "-c", join(serverFolder(folder, name), "nginx.conf")],
});

export const onNode = (node: number) => ({ annotations: { "local.heddle.dev/node": String(node) } });

export const serviceAccount = (key: string): string => declared("v1", "ServiceAccount", key);

/** Nothing reaches the server but through a tunnel. */
export const peerAuthentication = (key: string): string =>
  declared("security.istio.io/v1", "PeerAuthentication", key, { spec: { mtls: { mode: "STRICT" } } });
