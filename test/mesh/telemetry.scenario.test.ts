import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AMBIENT, namespace, service, sleeper } from "../local/yaml.ts";
import { onNode, type Sample, serverPod, serviceAccount, sum, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": [
    serviceAccount("shop/client"),
    sleeper("shop/client", { annotations: onNode(1), spec: { serviceAccountName: "client" } }),
    serverPod("shop/near", 1),
    serverPod("shop/far", 2),
    sleeper("outside/stranger", { annotations: onNode(1) }),
  ].join(""),
  "services.yaml": service("shop/nobody", { selector: { app: "nobody" }, ports: [{ port: 80 }] }),
});

beforeAll(() => mesh.upAndReady("--workers", "2"));
afterAll(() => mesh.dispose());

const soon = { timeout: 10_000 };

const agent = async (node: number) => (await mesh.status()).nodes[node - 1]?.agent;

/**
 * For each worker of node 1: the identities of its pods, and those of the certificates that are meant for it. Which pod comes
 * first is chance, so that they are ordered by their pods.
 */
const homes = async () => {
  const { workers = [], pods = [], certificates = [] } = (await agent(1)) ?? {};
  return workers
    .map(({ index }) => ({
      pods: pods
        .filter(({ worker, capture }) => worker === index && capture === "captured")
        .map(({ identity }) => identity),
      certificates: certificates.filter(({ worker }) => worker === index).map(({ identity }) => identity),
    }))
    .sort((a, b) => String(a.pods[0]).localeCompare(String(b.pods[0])));
};

/** Which of these byte strings a process has in its memory. */
const remembers = (pid: number, strings: readonly Buffer[]): readonly boolean[] => {
  const found = strings.map(() => false);
  const memory = openSync(`/proc/${pid}/mem`, "r");
  for (const [, start = "", end = ""] of readFileSync(`/proc/${pid}/maps`, "utf8").matchAll(
    /^([0-9a-f]+)-([0-9a-f]+) rw/gm,
  )) {
    const piece = Buffer.alloc(Number.parseInt(end, 16) - Number.parseInt(start, 16));
    try {
      readSync(memory, piece, 0, piece.length, Number.parseInt(start, 16));
    } catch {
      continue;
    }
    for (const [index, bytes] of strings.entries()) found[index] ||= piece.includes(bytes);
  }
  closeSync(memory);
  return found;
};

const environment = (pid: number): readonly string[] => readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");

/** For each worker of node 1, in order: the workers whose certificates it has in its memory. */
const certificatesInMemory = async (): Promise<readonly (readonly boolean[])[]> => {
  const { certificates = [] } = (await agent(1)) ?? {};
  const serials = [0, 1].map((index) => certificates.find(({ worker }) => worker === index)?.serial ?? "");
  const workers = mesh.pids("proxy/worker/main.ts").filter((pid) => environment(pid).includes("HEDDLE_NODE=node-1"));
  return [0, 1].map((index) => {
    const pid = workers.find((each) => environment(each).includes(`HEDDLE_WORKER=${index}`));
    return remembers(
      pid ?? 0,
      serials.map((serial) => Buffer.from(serial, "hex")),
    );
  });
};

const ONE_EACH = [["client"], ["near"]].map((names) => {
  const identities = names.map((name) => `spiffe://cluster.local/ns/shop/sa/${name}`);
  return { pods: identities, certificates: identities };
});

// Before anybody calls: a handshake brings the other's certificate along.
test("of two workers on a node each serves pods of its own, and has their certificates and no others, also after a restart", async () => {
  await expect.poll(homes, soon).toEqual(ONE_EACH);
  const isReadable = process.getuid?.() === 0;
  const own = [
    [true, false],
    [false, true],
  ];
  if (isReadable) expect(await certificatesInMemory()).toEqual(own);
  const startId = async () => (await agent(1))?.workers[1]?.startId;
  const before = await startId();
  await mesh.signal({ node: "node-1", role: "worker", index: 1, signal: "SIGKILL" });
  await expect.poll(async () => (await startId()) ?? before, soon).not.toBe(before);
  await expect.poll(homes, soon).toEqual(ONE_EACH);
  if (isReadable) expect(await certificatesInMemory()).toEqual(own);
  expect((await mesh.ask("shop/client", await mesh.address("shop/near"))).pod).toBe("near");
  expect((await mesh.ask("shop/far", await mesh.address("shop/near"))).pod).toBe("near");
});

/** Bytes between the client and the far pod, in the direction of the request and of the answer, as each end counts them. */
const bytes = async () => {
  const ends = { source_workload: "client", destination_workload: "far" };
  const of = (samples: readonly Sample[], reporter: string) =>
    ["istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total"].map((name) =>
      sum(samples, name, { ...ends, reporter }),
    );
  return {
    source: of(await mesh.metrics(1, "outside/stranger"), "source"),
    destination: of(await mesh.metrics(2, "outside/stranger"), "destination"),
  };
};

test("both ends count the bytes of a connection, each direction by itself", async () => {
  const before = await bytes();
  // `70001\n` up, 70001 bytes down.
  await mesh.client("shop/client", "download", await mesh.address("shop/far"), 8082, 70_001);
  const more = (counts: readonly number[], index: number, added: number): number => (counts[index] ?? 0) + added;
  const after = (counts: readonly number[]) => [more(counts, 0, 6), more(counts, 1, 70_001)];
  await expect.poll(bytes, soon).toEqual({ source: after(before.source), destination: after(before.destination) });
});

const TIMES = 3;

// Where a call is turned away on its way, and what each node says of it.
test.each<[string, string, () => Promise<string>, number, readonly string[]]>([
  ["a service without endpoints", "shop/client", async () => "nobody", 80, ["1 outbound failed no-endpoint"]],
  ["a port of the proxy", "shop/client", () => mesh.address("shop/far"), 15006, ["1 outbound failed self-call"]],
  [
    "a port that nobody listens on, through a tunnel",
    "shop/client",
    () => mesh.address("shop/far"),
    9,
    ["1 outbound failed peer-cannot-connect", "2 inbound failed connect-failed"],
  ],
  [
    "a port that nobody listens on, in clear",
    "outside/stranger",
    () => mesh.address("shop/far"),
    9,
    ["2 inbound failed connect-failed"],
  ],
])(
  "a call to %s has one line that says so on each node that it came to, and no other",
  async (_, from, host, port, expected) => {
    const startedAt = Date.now();
    const address = await host();
    for (let call = 0; call < TIMES; call++) {
      expect((await mesh.client(from, "ask", address, port)).error).toBe("ECONNRESET");
    }
    const lines = (): readonly string[] =>
      [1, 2].flatMap((node) =>
        mesh
          .accessLog(node)
          .filter(({ time }) => Number(time) >= startedAt)
          .map(({ direction, event, reason }) => `${node} ${direction} ${event} ${reason}`),
      );
    const each = expected.flatMap((line) => Array.from({ length: TIMES }, () => line));
    await expect.poll(() => lines().toSorted(), soon).toEqual(each);
    // Workers say ten times a second what happened: nothing follows.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(lines().toSorted()).toEqual(each);
  },
);

/** The traffic of node 2, as text. */
const traffic = async (): Promise<readonly string[]> =>
  (await mesh.metrics(2, "outside/stranger"))
    .filter(({ name }) => name.startsWith("istio_tcp_") || name === "heddle_connections_refused_total")
    .map(({ name, labels, value }) => `${name} ${JSON.stringify(labels)} ${value}`)
    .toSorted();

test("an agent that starts anew has the same counts again", async () => {
  await mesh.client("shop/client", "download", await mesh.address("shop/far"), 8082, 1_000);
  await mesh.client("outside/stranger", "ask", await mesh.address("shop/far"), 9);
  await expect.poll(async () => (await traffic()).join("\n"), soon).toMatch(/closed_total[^]*failed_total/);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const [before, agents] = [await traffic(), mesh.pids("proxy/agent/main.ts")];
  await mesh.signal({ node: "node-2", role: "agent", signal: "SIGKILL" });
  await expect
    .poll(() => mesh.pids("proxy/agent/main.ts").filter((pid) => !agents.includes(pid)), soon)
    .toHaveLength(1);
  await expect.poll(() => traffic().catch(String), soon).toEqual(before);
});
