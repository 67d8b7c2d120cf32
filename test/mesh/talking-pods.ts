import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { TestMesh } from "../local/test-mesh.ts";
import { pod } from "../local/yaml.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

/** Where a pod runs: its node's number. */
export const onNode = (node: number) => ({ "local.heddle.dev/node": String(node) });

/** A pod with the servers of test/programs/server.ts; `labels` decide which services it belongs to. */
export const serverPod = (key: string, node: number, labels: Readonly<Record<string, string>> = {}): string => {
  const account = key.replace(/-[0-9]+$/, "");
  const server = pod(key, ["node", join(PROGRAMS, "server.ts")], {
    labels,
    annotations: onNode(node),
    spec: { serviceAccountName: account.split("/")[1] },
    container: { ports: [{ name: "whoami", containerPort: 8080 }] },
  });
  return serviceAccount(account) + server;
};

/** A service account `ns/name`. */
export const serviceAccount = (key: string): string => {
  const [namespace, name] = key.split("/");
  return `---\n${JSON.stringify({ apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace, name } })}\n`;
};

/** Has the pods of a namespace refuse whatever comes in clear. */
export const strict = (namespace: string): string =>
  `---\n${JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { namespace, name: "strict" },
    spec: { mtls: { mode: "STRICT" } },
  })}\n`;

/** What test/programs/client.ts says of a connection. */
export interface Outcome {
  readonly error?: string;
  readonly text?: string;
  readonly bytes?: number;
  readonly sha256?: string;
}

/** How many connections opened, and how many of them lived on unharmed. */
export interface HoldResult {
  readonly echoed: number;
  readonly survivors: number;
}

/** How many calls ended how. */
export interface LoadCounts {
  readonly ok: number;
  readonly refused: number;
  readonly reset: number;
  readonly other: number;
  /** Answers that came past the proxy. */
  readonly direct: number;
}

/** How many requests were answered, on how many connections; whatever else happened by its name. */
export interface RequestCounts {
  readonly ok: number;
  readonly connections: number;
}

/** Connections that are held until somebody says so. */
export interface HeldConnections {
  end(): Promise<HoldResult>;
}

/** What the server on port 8080 says of its caller. */
export interface WhoAmI {
  readonly peer: string;
  readonly peerPort: number;
  readonly own: string;
  readonly port: number;
  readonly pod: string;
}

/** One line of a node's access log. */
export type AccessLine = Readonly<Record<string, string | number>>;

/** A mesh whose pods call each other. */
export class TalkingPods extends TestMesh {
  /** Runs the client program in a pod. */
  async client<Result = Outcome>(from: string, ...args: readonly (string | number)[]): Promise<Result> {
    const output = await this.exec(from, "node", join(PROGRAMS, "client.ts"), ...args.map(String));
    const last = output.split("\n").at(-1) ?? "";
    try {
      return JSON.parse(last) as Result;
    } catch {
      throw new Error(`the client in ${from} said: ${output}`);
    }
  }

  /** Has a pod hold connections to an echo, something always under way on each. Resolves when all of them are open. */
  async hold(from: string, host: string, port: number, count: number): Promise<HeldConnections> {
    const command = ["node", join(PROGRAMS, "client.ts"), "hold", host, String(port), String(count), "eof"];
    const child = this.spawn("exec", "-i", from, "--", ...command);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async (): Promise<string> => ((await lines.next()) as { value?: string }).value ?? "";
    if ((await next()) !== "held") throw new Error(`${from} holds nothing`);
    return {
      end: async () => {
        child.stdin.end();
        return JSON.parse(await next()) as HoldResult;
      },
    };
  }

  /** Has the client program in a pod go on until it is told to end. @returns how to tell it, and what it then says */
  clientUntilEnd<Result>(from: string, ...args: readonly (string | number)[]): () => Promise<Result> {
    const child = this.spawn("exec", "-i", from, "--", "node", join(PROGRAMS, "client.ts"), ...args.map(String));
    const said = text(child.stdout);
    return async () => {
      child.stdin.end();
      return JSON.parse(await said) as Result;
    };
  }

  /** Has a pod keep a connection busy until the other side ends it. Resolves when it is open. @returns how it ended */
  async outlast(from: string, host: string): Promise<{ readonly ended: Promise<string> }> {
    const command = ["node", join(PROGRAMS, "client.ts"), "outlast", host, "8085"];
    const child = this.spawn("exec", from, "--", ...command);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async (): Promise<string> => ((await lines.next()) as { value?: string }).value ?? "";
    if ((await next()) !== "held") throw new Error(`${from} holds nothing`);
    return { ended: next().then((line) => (JSON.parse(line) as { readonly ended: string }).ended) };
  }

  /** Asks the server on a port who it thinks is calling. */
  async ask(from: string, host: string, port = 8080): Promise<WhoAmI> {
    const { text: said = "", error } = await this.client(from, "ask", host, port);
    if (error !== undefined || said === "")
      throw new Error(`${from} -> ${host}:${port}: ${error ?? "ended without a word"}`);
    return JSON.parse(said) as WhoAmI;
  }

  /** A pod's address of one family. */
  async address(key: string, family: 4 | 6 = 4): Promise<string> {
    const address = (await this.pod(key))?.addresses.find((each) => each.includes(":") === (family === 6));
    if (address === undefined) throw new Error(`${key} has no IPv${family} address`);
    return address;
  }

  /** What a node wrote about connections, as far back as its log goes. */
  accessLog(node: number): readonly AccessLine[] {
    const path = join(this.state, `logs/node-${node}.log`);
    const earlier = existsSync(`${path}.1`) ? readFileSync(`${path}.1`, "utf8") : "";
    return (earlier + readFileSync(path, "utf8"))
      .split("\n")
      .filter((line) => line.includes('"log":"access"'))
      .map((line) => JSON.parse(line) as AccessLine);
  }

  /** The metrics of a node, asked for by somebody in a pod. */
  async metrics(node: number, from: string): Promise<readonly Sample[]> {
    const { nodes } = await this.status();
    const address = nodes[node - 1]?.addresses.find((each) => !each.includes(":"));
    const script = `fetch("http://${address}:15020/metrics").then((r) => r.text()).then((t) => process.stdout.write(t))`;
    return parseSamples(await this.exec(from, "node", "-e", script));
  }

  /** Process ids of the mesh's processes of one kind, as this test sees them. */
  pids(program: `${"proxy/worker" | "proxy/agent" | "proxy/supervisor" | "control-plane"}/main.ts`): readonly number[] {
    const all = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
    // `unshare` has the same words in its command line, and is outside.
    const inside = all.filter((pid) => pidNamespace(pid) !== pidNamespace("self"));
    const isRuntime = (pid: string): boolean =>
      commandLine(pid).includes("local/main.ts") && environ(pid).includes(`HEDDLE_NAME=${this.name}\0`);
    const namespaces = new Set(inside.filter(isRuntime).map(pidNamespace));
    return inside.filter((pid) => commandLine(pid).includes(program) && namespaces.has(pidNamespace(pid))).map(Number);
  }
}

/** One line of the exposition. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The sum of the samples of a metric with these labels. */
export const sum = (samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number =>
  samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((total, { value }) => total + value, 0);

const parseSamples = (exposition: string): readonly Sample[] =>
  exposition
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name = "", labels = "", value = ""] = /^([a-z0-9_]+)(?:\{(.*)\})? ([^ ]+)$/.exec(line) ?? [];
      const pairs = labels.matchAll(/([a-z0-9_]+)="((?:[^"\\]|\\.)*)"/g);
      return {
        name,
        labels: Object.fromEntries(Array.from(pairs, ([, key, label]) => [key, label])),
        value: Number(value),
      };
    });

const readProc = (pid: string, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
};
const commandLine = (pid: string): string => readProc(pid, "cmdline");
const environ = (pid: string): string => readProc(pid, "environ");
const pidNamespace = (pid: string): string => {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return "";
  }
};
