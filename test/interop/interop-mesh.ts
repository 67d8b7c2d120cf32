import { join } from "node:path";
import { AMBIENT, namespace, pod, service, sleeper } from "../local/yaml.ts";
import { onNode, serviceAccount, TalkingPods } from "../mesh/talking-pods.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

/** Three servers of interop-server.ts on two nodes, `web`, and a client on the first. */
export class InteropMesh extends TalkingPods {
  /** @param environment of the servers. @param more objects beside */
  constructor(environment: Readonly<Record<string, string>> = {}, more: Readonly<Record<string, string>> = {}) {
    const env = Object.entries(environment).map(([name, value]) => ({ name, value }));
    const server = (index: number): string =>
      pod(`shop/web-${index}`, ["node", join(PROGRAMS, "interop-server.ts")], {
        labels: { app: "web" },
        annotations: onNode((index % 2) + 1),
        spec: { serviceAccountName: "web" },
        container: { env },
      });
    super({
      "namespaces.yaml": namespace("shop", AMBIENT),
      "pods.yaml": [
        serviceAccount("shop/client"),
        serviceAccount("shop/web"),
        sleeper("shop/client", { annotations: onNode(1), spec: { serviceAccountName: "client" } }),
        ...[0, 1, 2].map(server),
      ].join(""),
      "services.yaml": service("shop/web", {
        selector: { app: "web" },
        ports: [
          { name: "http", port: 80, targetPort: 8080 },
          { name: "http2", port: 81, targetPort: 8081 },
          { name: "grpc", port: 7070 },
        ],
      }),
      ...more,
    });
  }

  /** Runs a program of test/programs in the client's pod. @returns the JSON that it prints */
  async program<Result>(name: string, ...args: readonly (string | number)[]): Promise<Result> {
    const output = await this.exec("shop/client", "node", join(PROGRAMS, `${name}.ts`), ...args.map(String));
    try {
      return JSON.parse(output.split("\n").at(-1) ?? "") as Result;
    } catch {
      throw new Error(`${name} said: ${output}`);
    }
  }

  /** Runs a command in the client's pod. @returns what it wrote to either output */
  async command(...command: readonly string[]): Promise<string> {
    return this.exec("shop/client", ...command);
  }
}
