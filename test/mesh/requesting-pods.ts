import { createInterface } from "node:readline";
import { join } from "node:path";
import { AMBIENT, namespace, pod, service, sleeper } from "../local/yaml.ts";
import type { RequestReport } from "../programs/request-load.ts";
import { onNode, serviceAccount, strict, TalkingPods } from "./talking-pods.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

/** A pod with the servers of test/programs/orderly-server.ts. `env`: another one is another pod of the same name. */
export const orderlyPod = (
  key: string,
  node: number,
  app: string,
  env: Readonly<Record<string, string>> = {},
  account = app,
): string =>
  pod(key, ["node", join(PROGRAMS, "orderly-server.ts")], {
    labels: { app },
    annotations: onNode(node),
    spec: { serviceAccountName: account },
    container: { env: Object.entries(env).map(([name, value]) => ({ name, value })) },
  });

const PORTS = [
  { name: "http", port: 80, targetPort: 8080 },
  { name: "http2", port: 81, targetPort: 8081 },
  { name: "grpc", port: 7070 },
];

/** A Service for {@link orderlyPod}s. */
export const orderlyService = (key: string, selector: Readonly<Record<string, string>>): string =>
  service(key, { selector, ports: PORTS });

/** An HTTPRoute for every port of `shop/web`: weights of Services, and a field that tells which version of the route answered. */
export const weights = (epoch: number, parts: Readonly<Record<string, number>>): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "List",
    items: PORTS.map(({ name, port }) => ({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { namespace: "shop", name: `web-${name}`, generation: epoch },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: "web", port }],
        rules: [
          {
            filters: [
              {
                type: "ResponseHeaderModifier",
                responseHeaderModifier: { set: [{ name: "x-epoch", value: String(epoch) }] },
              },
            ],
            backendRefs: Object.entries(parts).map(([service, weight]) => ({ name: service, port, weight })),
          },
        ],
      },
    })),
  });

/** Requests that go on until somebody says so. */
export interface RequestLoad {
  /** What happened since the last time. */
  report(): Promise<RequestReport>;
  end(): void;
}

/** A mesh with a client, `shop/client` on node 1, that sends requests to Services of orderly pods. */
export class RequestingPods extends TalkingPods {
  constructor(objects: Readonly<Record<string, string>>) {
    super({
      "namespaces.yaml": namespace("shop", AMBIENT) + strict("shop"),
      "client.yaml":
        ["client", "web", "v1", "v2"].map((name) => serviceAccount(`shop/${name}`)).join("") +
        sleeper("shop/client", { annotations: onNode(1), spec: { serviceAccountName: "client" } }),
      ...objects,
    });
  }

  /** Starts the requests of test/programs/request-load.ts. Resolves when each kind was answered. */
  async requests(host: string, callers: number): Promise<RequestLoad> {
    const command = ["node", join(PROGRAMS, "request-load.ts"), host, String(callers)];
    const child = this.spawn("exec", "-i", "shop/client", "--", ...command);
    let complaint = "";
    child.stderr.on("data", (part: Buffer) => (complaint += part.toString()));
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const report = async (): Promise<RequestReport> => {
      child.stdin.write("\n");
      const { value } = (await lines.next()) as { value?: string };
      if (value === undefined) throw new Error(`the requests have ended: ${complaint}`);
      return JSON.parse(value) as RequestReport;
    };
    return { report, end: () => void child.stdin.end() };
  }
}
