import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { AgentStatus } from "#mesh/admin/agent-status.ts";
import type { AuthorityStatus } from "#mesh/admin/control-plane-status.ts";
import type { EnrolmentAnswer } from "#proxy/supervisor/enrolment.ts";
import { type UnixRequest, UnixClient } from "#local/socket/unix-client.ts";
import { unwrap } from "#mesh/result.ts";
import { Sandbox, type Started } from "./sandbox.ts";

const PROGRAM = dirname(dirname(import.meta.dirname));
const NODE_ADDRESS = "10.99.0.1";
const FIRST_UID = 64_000;

/** A pod of a bare node: a namespace with an address, and whether it says of itself that tunnels reach it. */
export interface BarePod {
  readonly name: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** Has it take part without being enrolled: the pod answers on the tunnel port itself. */
  readonly isPeer?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
}

/** What is sent to the supervisor of an enrolment; everything has a default. */
export interface EnrolmentChanges {
  readonly uid?: string;
  readonly netns?: string;
  readonly node?: string;
  readonly probeAddresses?: readonly string[];
  readonly capabilities?: readonly string[];
  readonly serviceAccount?: string;
}

/**
 * One node without `heddle up`: namespaces joined by a bridge, a control plane that reads what the test writes, a supervisor that
 * the test talks to. For what a runtime that does everything right cannot show.
 */
export class BareNode {
  readonly sandbox: Sandbox;
  readonly pods: ReadonlyMap<string, BarePod>;
  /** On the real file system, so that the test reaches what is in it. */
  readonly directory: string;
  controlPlane: Started | undefined;
  supervisor: Started | undefined;
  #enroller: Socket | undefined;
  #answers: EnrolmentAnswer[] = [];

  private constructor(sandbox: Sandbox, pods: readonly BarePod[]) {
    this.sandbox = sandbox;
    this.pods = new Map(pods.map((pod) => [pod.name, pod]));
    this.directory = mkdtempSync(join(tmpdir(), "heddle-bare-"));
  }

  /** Makes the namespaces, and writes the pods as objects. */
  static async make(names: readonly (string | Omit<BarePod, "ipv4" | "ipv6">)[]): Promise<BareNode> {
    const pods = names.map((given, index): BarePod => {
      const pod = typeof given === "string" ? { name: given } : given;
      return { ...pod, ipv4: `10.99.0.${index + 10}`, ipv6: `fd99::${index + 10}` };
    });
    const node = new BareNode(await Sandbox.open(), pods);
    chmodSync(node.directory, 0o755);
    for (const folder of ["objects", "ca", "public", "run", "agent", "cache"]) mkdirSync(join(node.directory, folder));
    await node.sandbox.run(["sh", "-c", networkScript(pods)]);
    if (node.sandbox.isRoot) await node.sandbox.run(["chown", String(FIRST_UID), join(node.directory, "agent")]);
    node.writeObjects();
    return node;
  }

  get agentSocket(): string {
    return join(this.directory, "agent/agent.sock");
  }

  /**
   * Writes the pods, their namespace and accounts, and `more`, for the control plane.
   * @param accounts of pods whose service account has another name than they have
   */
  writeObjects(more: readonly object[] = [], accounts: Readonly<Record<string, string>> = {}): void {
    const objects = [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
      ...[...this.pods.values()].flatMap((pod) => podObjects(pod, accounts[pod.name] ?? pod.name)),
      ...more,
    ];
    writeFileSync(
      join(this.directory, "objects/all.json"),
      JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
    );
  }

  /** @param prefix of its command, as of `env` */
  async startControlPlane(prefix: readonly string[] = []): Promise<void> {
    this.controlPlane = this.sandbox.start(
      [...prefix, join(PROGRAM, "bin/node"), join(PROGRAM, "control-plane/main.ts")],
      {
        env: {
          HEDDLE_OBJECTS_DIR: join(this.directory, "objects"),
          HEDDLE_CA_DIR: join(this.directory, "ca"),
          HEDDLE_PUBLIC_DIR: join(this.directory, "public"),
          HEDDLE_LISTEN: `${NODE_ADDRESS}:15012`,
          HEDDLE_ADMIN_SOCKET: join(this.directory, "admin.sock"),
        },
      },
    );
    await until(
      () => this.controlPlane?.output.includes("serves on") === true,
      () => this.controlPlane?.output,
    );
    const { token } = await asked<{ token: string }>(join(this.directory, "admin.sock"), "/join-tokens", {
      method: "POST",
      body: { node: "node-1" },
    });
    writeFileSync(join(this.directory, "token"), token);
    chmodSync(join(this.directory, "token"), 0o644);
  }

  /**
   * @param env of the supervisor, beside what it must have
   * @param prefix what starts it: a command that ends in the arguments it gets
   * @param program the tree of another version
   */
  async startSupervisor(
    env: Readonly<Record<string, string>> = {},
    prefix: readonly string[] = [],
    program?: string,
  ): Promise<void> {
    this.supervisor = this.launchSupervisor(env, prefix, program);
    await until(
      () => this.supervisor?.output.includes("supervisor is up") === true,
      () => this.supervisor?.output,
    );
    await this.#connectEnroller();
  }

  /** Starts a supervisor that need not come up; the one there was stays ours. */
  launchSupervisor(
    env: Readonly<Record<string, string>> = {},
    prefix: readonly string[] = [],
    program = PROGRAM,
  ): Started {
    const command = [...prefix, join(program, "bin/node"), join(program, "proxy/supervisor/main.ts")];
    return this.sandbox.start(command, {
      env: {
        HEDDLE_NODE: "node-1",
        HEDDLE_RUN_DIR: join(this.directory, "run"),
        HEDDLE_WORKERS: "1",
        HEDDLE_FIRST_UID: this.sandbox.isRoot ? String(FIRST_UID) : "",
        HEDDLE_PROGRAM: program,
        HEDDLE_CACHE_DIR: join(this.directory, "cache"),
        HEDDLE_CONTROL_PLANE: `${NODE_ADDRESS}:15012`,
        HEDDLE_JOIN_TOKEN_FILE: join(this.directory, "token"),
        HEDDLE_ROOTS_FILE: join(this.directory, "public/roots.pem"),
        HEDDLE_AGENT_SOCKET: this.agentSocket,
        ...env,
      },
    });
  }

  /** Asks the supervisor for something, and waits for its answer. */
  async ask(
    request: object,
    isAnswer: (answer: EnrolmentAnswer) => boolean,
    timeoutMs?: number,
  ): Promise<EnrolmentAnswer> {
    this.#answers = this.#answers.filter((answer) => !isAnswer(answer));
    this.#enroller?.write(`${JSON.stringify({ version: 1, ...request })}\n`);
    await until(
      () => this.#answers.some(isAnswer),
      () => `${JSON.stringify(request)}: ${this.supervisor?.output}`,
      timeoutMs,
    );
    return this.#answers.find(isAnswer) as EnrolmentAnswer;
  }

  enrol(name: string, changes: EnrolmentChanges = {}, timeoutMs?: number): Promise<EnrolmentAnswer> {
    const pod = this.pods.get(name);
    const record = {
      uid: `uid-${name}`,
      namespace: "shop",
      name,
      serviceAccount: name,
      addresses: [pod?.ipv4, pod?.ipv6],
      netns: `/run/netns/${name}`,
      node: "node-1",
      probeAddresses: [],
      capabilities: [],
      ...changes,
    };
    const isAnswer = (answer: EnrolmentAnswer): boolean => "uid" in answer && answer.uid === record.uid;
    return this.ask({ kind: "enrol", pod: record }, isAnswer, timeoutMs);
  }

  withdraw(name: string): Promise<EnrolmentAnswer> {
    return this.ask({ kind: "withdraw", uid: `uid-${name}` }, (answer) => answer.kind === "withdrawn");
  }

  complete(): Promise<EnrolmentAnswer> {
    return this.ask({ kind: "complete" }, (answer) => answer.kind === "completed");
  }

  /** Everything up, these pods enrolled and served. */
  async upWith(...names: readonly string[]): Promise<void> {
    await this.startControlPlane();
    await this.startSupervisor();
    for (const name of names) await this.enrol(name);
    await this.complete();
    await this.served(...names);
  }

  /** Waits until a worker accepts the connections of these pods. */
  async served(...names: readonly string[]): Promise<void> {
    await until(
      async () => {
        const { pods } = await this.status();
        return names.every((name) => pods.some((pod) => pod.name === name && pod.capture === "captured"));
      },
      () => this.supervisor?.output,
    );
  }

  status(): Promise<AgentStatus> {
    return this.askAgent<AgentStatus>("/status");
  }

  /** The authority, and where a rotation stands. */
  certificates(): Promise<AuthorityStatus> {
    return asked<AuthorityStatus>(join(this.directory, "admin.sock"), "/certificates");
  }

  /** What the control plane knows of objects. */
  configDump(): Promise<unknown> {
    return asked<unknown>(join(this.directory, "admin.sock"), "/config_dump");
  }

  /** Has the control plane do something. @throws Error with what it says if it does not */
  askControlPlane<Answer>(path: string, body: object = {}): Promise<Answer> {
    return asked<Answer>(join(this.directory, "admin.sock"), path, { method: "POST", body });
  }

  /** Asks the agent on its admin socket. */
  askAgent<Answer>(path: string): Promise<Answer> {
    return asked<Answer>(this.agentSocket, path);
  }

  /** Forgets the enroller's connection, as if it had crashed. */
  async reconnectEnroller(): Promise<void> {
    this.#enroller?.destroy();
    await this.#connectEnroller();
  }

  address(name: string, family: 4 | 6 = 4): string {
    const pod = this.pods.get(name);
    return (family === 4 ? pod?.ipv4 : pod?.ipv6) ?? "";
  }

  /** Lines of the access log. */
  accessLog(): readonly Readonly<Record<string, unknown>>[] {
    return (this.supervisor?.lines ?? []).filter((line) => line.log === "access");
  }

  async dispose(): Promise<void> {
    this.#enroller?.destroy();
    await this.sandbox.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #connectEnroller(): Promise<void> {
    const socket = connect(join(this.directory, "run/enrol.sock"));
    await once(socket, "connect");
    this.#enroller = socket;
    this.#answers = [];
    let held = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      const lines = (held + text).split("\n");
      held = lines.pop() ?? "";
      for (const line of lines) this.#answers.push(JSON.parse(line) as EnrolmentAnswer);
    });
    socket.on("error", () => undefined);
  }
}

/** Waits for something that is about to happen. @throws Error with what `explain` says if it does not */
export const until = async (
  condition: () => boolean | Promise<boolean>,
  explain: () => string | undefined,
  timeoutMs = 20_000,
): Promise<void> => {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await Promise.resolve(condition()).catch(() => false)) return;
    if (performance.now() > deadline) throw new Error(`waited in vain: ${explain()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

/** A bridge in the sandbox's own namespace, which is the node's, and a namespace for each pod. */
const networkScript = (pods: readonly BarePod[]): string =>
  [
    "set -e",
    "ip link add br0 type bridge",
    `ip addr add ${NODE_ADDRESS}/24 dev br0`,
    "ip addr add fd99::1/64 dev br0 nodad",
    "ip link set br0 up",
    ...pods.flatMap(({ name, ipv4, ipv6 }) => [
      `ip netns add ${name}`,
      `ip link add v-${name} type veth peer name eth0 netns ${name}`,
      `ip link set v-${name} master br0 up`,
      `ip -n ${name} link set lo up`,
      `ip -n ${name} link set eth0 up`,
      `ip -n ${name} addr add ${ipv4}/24 dev eth0`,
      `ip -n ${name} addr add ${ipv6}/64 dev eth0 nodad`,
      `ip -n ${name} route add default via ${NODE_ADDRESS}`,
      `ip -n ${name} -6 route add default via fd99::1`,
    ]),
  ].join("\n");

const podObjects = ({ name, ipv4, ipv6, labels }: BarePod, account: string): readonly object[] => [
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace: "shop", name: account } },
  {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: "shop",
      name,
      labels,
      annotations: { "ambient.istio.io/redirection": "enabled" },
    },
    spec: { nodeName: "node-1", serviceAccountName: account, containers: [{ name: "app", image: "none" }] },
    status: {
      phase: "Running",
      podIP: ipv4,
      podIPs: [{ ip: ipv4 }, { ip: ipv6 }],
      conditions: [{ type: "Ready", status: "True" }],
    },
  },
];

/** Asks a process of the node on its admin socket. @throws Error if it does not answer */
const asked = async <Answer>(socketPath: string, path: string, options: UnixRequest = {}): Promise<Answer> => {
  const client = new UnixClient(socketPath);
  try {
    return unwrap(await client.json<Answer>(path, options));
  } finally {
    await client.close();
  }
};
