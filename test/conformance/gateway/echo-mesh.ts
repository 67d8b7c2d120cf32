import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect } from "vitest";
import { AdminClient } from "#control-plane/testing/admin-client.ts";
import type { ObjectStatus } from "#mesh/admin/control-plane-status.ts";
import { AMBIENT, namespace, pod } from "../../local/yaml.ts";
import { onNode, serviceAccount, TalkingPods } from "../../mesh/talking-pods.ts";
import { type Case, deviations } from "./echo-answer.ts";
import { PodClient } from "./pod-client.ts";
import type { Answer, Request } from "./programs/request.ts";

export const MESH = "gateway-conformance-mesh";
export const CONSUMER = "gateway-conformance-mesh-consumer";

const MANIFESTS = join(import.meta.dirname, "manifests");
const SERVER = join(import.meta.dirname, "programs/echo-server.ts");
const ADMIN_SOCKET = "run/heddle/control-plane/admin.sock";

/** As the original does: so many successes in a row. */
const ROUNDS = 3;
const PATIENCE_MS = 30_000;
const PAUSE_MS = 100;

/** A pod of the conformance tests; its name ends as a Deployment's pods do. */
const echoPod = (namespace: string, version: "v1" | "v2", node: number): string => {
  const name = podName(version);
  return pod(`${namespace}/${name}`, ["node", SERVER], {
    labels: { app: "echo", version },
    annotations: onNode(node),
    spec: { serviceAccountName: `echo-${version}` },
    container: { name: "echo", env: [{ name: "SERVICE_VERSION", value: version }] },
  });
};

const podName = (version: "v1" | "v2"): string => `echo-${version}-6d4cf56db6-x7k2p`;

/** Who sends requests. */
export const CLIENTS = {
  "echo-v1": `${MESH}/${podName("v1")}`,
  "echo-v2": `${MESH}/${podName("v2")}`,
  consumer: `${CONSUMER}/${podName("v1")}`,
} as const;
export type ClientName = keyof typeof CLIENTS;

/** A manifest of this folder. */
export const manifest = (file: string): string => readFileSync(join(MANIFESTS, file), "utf8");

/** The namespaces, pods and Services of the mesh conformance tests, and clients in the pods. */
export class EchoMesh extends TalkingPods {
  readonly #clients = new Map<string, PodClient>();

  /** @param more objects beside */
  constructor(more: Readonly<Record<string, string>> = {}) {
    super({
      "namespaces.yaml": namespace(MESH, AMBIENT) + namespace(CONSUMER, AMBIENT),
      "services.yaml": manifest("services.yaml"),
      "pods.yaml": [
        serviceAccount(`${MESH}/echo-v1`) + echoPod(MESH, "v1", 1),
        serviceAccount(`${MESH}/echo-v2`) + echoPod(MESH, "v2", 2),
        serviceAccount(`${CONSUMER}/echo-v1`) + echoPod(CONSUMER, "v1", 2),
      ].join(""),
      ...more,
    });
  }

  /** Puts routes in the place of those before. @param yaml none without it */
  routes(yaml = "# none\n"): void {
    this.write("routes.yaml", yaml);
  }

  /** Sends requests from a pod, {@link Request.count} of each. */
  async send(requests: readonly Request[], from: string = "echo-v1", atOnce = 20): Promise<readonly Answer[]> {
    return this.#client(from).send({ requests, atOnce });
  }

  /** Expects that all of this comes true soon, then stays true: once it has been, nothing may deviate again. */
  async holds(...cases: readonly Case[]): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    let found = await this.#deviations(cases);
    while (found.length > 0 && performance.now() < deadline) {
      await wait(PAUSE_MS);
      found = await this.#deviations(cases);
    }
    expect(found).toEqual([]);
    for (let round = 1; round < ROUNDS; round++) expect(await this.#deviations(cases)).toEqual([]);
  }

  /** What the control plane says of an object: warnings, problems, and of routes what became of them at each parent. */
  async objectStatus(kind: string, key: string): Promise<ObjectStatus | undefined> {
    const [pid] = this.pids("control-plane/main.ts");
    const { objects } = await new AdminClient(`/proc/${pid}/root/${ADMIN_SOCKET}`).dump();
    return objects.find((each) => each.kind === kind && `${each.namespace}/${each.name}` === key);
  }

  /** `Accepted=True/Accepted` and so on, of each parent of a route. */
  async conditions(kind: "HTTPRoute" | "GRPCRoute", key: string): Promise<readonly (readonly string[])[]> {
    const { parents = [] } = (await this.objectStatus(kind, key)) ?? {};
    return parents.map(({ conditions }) =>
      conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`).sort(),
    );
  }

  override async dispose(): Promise<void> {
    for (const client of this.#clients.values()) client.close();
    await super.dispose();
  }

  async #deviations(cases: readonly Case[]): Promise<readonly string[]> {
    const senders = [...new Set(cases.map(({ from = "echo-v1" }) => from))];
    const found = senders.map(async (sender) => {
      const own = cases.filter(({ from = "echo-v1" }) => from === sender);
      const answers = await this.send(
        own.map(({ request }) => ({ ...request, count: 1 })),
        sender,
      );
      return own.flatMap((each, index) => deviations(each, answers[index] ?? NOTHING));
    });
    return (await Promise.all(found)).flat();
  }

  #client(from: string): PodClient {
    const client = this.#clients.get(from) ?? new PodClient(this, CLIENTS[from as ClientName] ?? from);
    this.#clients.set(from, client);
    return client;
  }
}

const NOTHING: Answer = { headers: {}, trailers: {}, body: "", error: "no answer" };
