import { AMBIENT, namespace, pod, service } from "#test/local/yaml.ts";
import { type PeerPair, peerContainer } from "../ways/peer-pair.ts";
import { SERVER_PORTS, SERVICE_PORTS } from "./nginx-config.ts";

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
        { name: "tcp-bulk", port: SERVICE_PORTS.bytes, targetPort: SERVER_PORTS.bytes },
      ],
    }),
    peerAuthentication("meshed/default"),
  ].join("");

/** The load is started in it later, for as long as a measurement lasts. */
const LOAD = { name: "load", image: "load", command: ["sleep", "infinity"] };

const nginx = (folder: string, name: string): object => ({
  name: "server",
  image: "nginx",
  command: ["nginx", "-c", `${folder}/nginx-${name}/nginx.conf`],
});

const onNode = (node: number) => ({ annotations: { "local.heddle.dev/node": String(node) } });

const serviceAccount = (key: string): string => object("v1", "ServiceAccount", key);

/** Nothing reaches the server but through a tunnel. */
const peerAuthentication = (key: string): string =>
  object("security.istio.io/v1", "PeerAuthentication", key, { spec: { mtls: { mode: "STRICT" } } });

const object = (apiVersion: string, kind: string, key: string, more: object = {}): string => {
  const [namespace, name] = key.split("/");
  return `---\n${JSON.stringify({ apiVersion, kind, metadata: { namespace, name }, ...more })}\n`;
};
