import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

let node: BareNode;

beforeAll(async () => {
  node = await BareNode.make(["client", "web", "busy", "probed", "spare"]);
  await node.startControlPlane();
  await node.startSupervisor();
});
afterAll(() => node.dispose());

const soon = { timeout: 10_000 };

const start = (netns: string) => node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns });

const call = async (from: string | undefined, ...args: readonly string[]) => {
  const command = [process.execPath, join(PROGRAMS, "client.ts"), ...args];
  const output = await node.sandbox.run(command, from === undefined ? {} : { netns: from });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as {
    error?: string;
    text?: string;
    bytes?: number;
    survivors?: number;
  };
};

const whoami = async (from: string | undefined, host: string) =>
  JSON.parse((await call(from, "ask", host, "8080")).text ?? "") as { peer: string; peerPort: number; pod: string };

const rules = (netns: string): Promise<string> =>
  node.sandbox.run(["nft", "list", "ruleset"], { netns }).catch((error: Error) => error.message);

test.each<[string, string, object, RegExp]>([
  ["a pod of another node", "spare", { node: "node-2" }, /the pod is on node node-2, this is node-1/],
  ["a namespace that is not there", "spare", { netns: "/run/netns/nowhere" }, /ENOENT/],
  ["a file that is no namespace", "spare", { netns: "/etc/hostname" }, /is not a network namespace/],
  ["a namespace of another kind", "spare", { netns: "/proc/1/ns/uts" }, /is not a network namespace/],
  ["the node's own namespace", "spare", { netns: "/proc/1/ns/net" }, /the node's own network namespace/],
])("%s is refused, and says why", async (_, name, changes, reason) => {
  const answer = await node.enrol(name, { uid: "uid-wrong", ...changes });
  expect(answer).toMatchObject({ kind: "refused", reason: expect.stringMatching(reason) });
  expect(await rules("spare")).toBe("");
});

test("a pod in which somebody listens on the proxy's port is refused, and nothing is left behind in it", async () => {
  const thief = node.sandbox.start(
    [process.execPath, "-e", `require("net").createServer().listen(15006); console.log("up")`],
    {
      netns: "busy",
    },
  );
  await until(
    () => thief.output.includes("up"),
    () => thief.output,
  );
  expect(await node.enrol("busy")).toMatchObject({
    kind: "refused",
    reason: expect.stringMatching(/port 15006: EADDRINUSE/),
  });
  expect(await rules("busy")).toBe("");
  thief.kill();
  await until(
    () => thief.hasEnded,
    () => thief.output,
  );
  expect(await node.enrol("busy")).toMatchObject({ kind: "enrolled" });
});

test("once enrolled, nobody else can listen on the proxy's ports, not even beside it", async () => {
  await node.enrol("web");
  for (const port of [15001, 15006, 15008]) {
    for (const host of ["::", "0.0.0.0", node.address("web"), "127.0.0.1"]) {
      const script = `require("net").createServer().on("error", (e) => console.log(e.code)).listen({ port: ${port}, host: "${host}", reusePort: true }, () => { console.log("stolen"); process.exit(); })`;
      const output = await node.sandbox.run([process.execPath, "-e", script], { netns: "web" });
      expect(output.trim(), `${host}:${port}`).toBe("EADDRINUSE");
    }
  }
});

test("enrolling the same pod again changes nothing, and a request that is no request is an error of its own", async () => {
  const before = await rules("web");
  expect(await node.enrol("web")).toEqual({ version: 1, kind: "enrolled", uid: "uid-web" });
  expect(await rules("web")).toBe(before);
  expect(await node.ask({ kind: "destroy" }, ({ kind }) => kind === "error")).toMatchObject({
    reason: 'kind "destroy" is unknown',
  });
  expect(await node.ask({ kind: "drain", uid: "uid-nobody" }, (answer) => answer.kind === "refused")).toMatchObject({
    uid: "uid-nobody",
  });
});

test("a pod that is enrolled while it runs keeps its connections in both directions", async () => {
  const server = start("web");
  await until(
    () => server.output.includes("listening"),
    () => server.output,
  );
  start("spare");
  await until(
    async () => (await call("client", "ask", node.address("spare"), "8080")).error === undefined,
    () => "",
  );
  const outward = call("client", "hold", node.address("spare"), "8085", "5", "3000");
  const inward = call("spare", "hold", node.address("client"), "8085", "0", "0");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await node.enrol("client")).toMatchObject({ kind: "enrolled" });
  expect(await node.enrol("spare")).toMatchObject({ kind: "enrolled" });
  expect((await outward).survivors).toBe(5);
  await inward;
});

test("pods that the enroller does not name when it comes back are withdrawn, and their rules and sockets are gone", async () => {
  await node.reconnectEnroller();
  for (const name of ["client", "web", "busy"]) await node.enrol(name);
  await node.complete();
  expect(await rules("spare")).toBe("");
  expect(await node.sandbox.run(["ss", "-Hltn"], { netns: "spare" })).not.toMatch(/:150/);
  expect(await node.sandbox.run(["ip", "rule"], { netns: "spare" })).not.toContain("0x111");
  expect((await node.sandbox.run(["sysctl", "-n", "net.ipv4.ip_local_port_range"], { netns: "spare" })).trim()).toBe(
    "32768\t60999",
  );
  await node.served("client", "web");
  expect((await whoami("client", node.address("web"))).peer).toBe(node.address("client"));
});

test("the source ports of dials to the application and to the outside never meet", async () => {
  // From the node's own namespace: plaintext, so that the proxy dials the application from the caller's address.
  const ports = [];
  for (let attempt = 0; attempt < 8; attempt++) ports.push((await whoami(undefined, node.address("web"))).peerPort);
  expect(ports.every((port) => port >= 10_240 && port <= 32_767)).toBe(true);
  // To an address outside the mesh: a dial of the pod's own.
  const listener = node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], {
    env: { LISTEN: "10.99.0.1" },
  });
  await until(
    () => listener.output.includes("listening"),
    () => listener.output,
  );
  const outside = await whoami("client", "10.99.0.1");
  expect(outside.peer).toBe(node.address("client"));
  expect(outside.peerPort).toBeGreaterThanOrEqual(32_768);
  listener.kill();
});

test("a source that the enroller names as a prober's goes straight to the application, also under STRICT; others do not", async () => {
  node.writeObjects([
    {
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { namespace: "shop", name: "default" },
      spec: { mtls: { mode: "STRICT" } },
    },
  ]);
  const server = start("probed");
  await until(
    () => server.output.includes("listening"),
    () => server.output,
  );
  await node.enrol("probed", { probeAddresses: ["10.99.0.1"] });
  await node.served("probed");
  await expect
    .poll(async () => (await call(undefined, "ask", node.address("web"), "8080")).error, soon)
    .toBe("ECONNRESET");
  expect((await whoami(undefined, node.address("probed"))).peer).toBe("10.99.0.1");
  expect((await call(undefined, "ask", node.address("probed", 6), "8080")).error).toBe("ECONNRESET");
  expect((await whoami("client", node.address("probed"))).peer).toBe(node.address("client"));
  node.writeObjects();
});

test("rules that are flushed from outside are noticed, put back and logged", async () => {
  await node.sandbox.run(["nft", "flush", "ruleset"], { netns: "web" });
  await expect.poll(() => rules("web"), { timeout: 45_000, interval: 500 }).toContain("redirect to :15006");
  expect(node.supervisor?.output).toContain('"problem":"the nft rules are gone"');
  await expect.poll(() => node.supervisor?.output, soon).toContain("the pod is captured again");
}, 60_000);

test("capabilities with which a pod could leave the mesh are recorded", async () => {
  await node.withdraw("busy");
  await node.enrol("busy", { capabilities: ["CHOWN", "CAP_NET_RAW", "bpf"] });
  await expect
    .poll(async () => (await node.status()).pods.find(({ name }) => name === "busy")?.riskyCapabilities, soon)
    .toEqual(["NET_RAW", "BPF"]);
});

/** /proc/PID/status as a map. */
const statusOf = (path: string): ReadonlyMap<string, string> =>
  new Map(
    readFileSync(path, "utf8")
      .split("\n")
      .map((line) => line.split(":\t") as [string, string]),
  );

test("every thread of agent and workers is without privileges, under users of their own, and nobody may look into them", async () => {
  const { workers } = await node.status();
  const pids = await node.sandbox.run(["pgrep", "-f", "proxy/(agent|worker)/main.ts"]);
  const insidePids = pids.trim().split("\n");
  expect(insidePids.length).toBe(workers.length + 1);
  const users = new Set<string>();
  for (const pid of insidePids) {
    const outer = outerPid(Number(pid));
    const threads = readdirSync(`/proc/${outer}/task`);
    expect(threads.length).toBeGreaterThan(1);
    for (const thread of threads) {
      const status = statusOf(`/proc/${outer}/task/${thread}/status`);
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
        expect(status.get(set), `${set} of ${thread}`).toBe("0000000000000000");
      }
      expect(status.get("NoNewPrivs")).toBe("1");
    }
    users.add(statusOf(`/proc/${outer}/status`).get("Uid") ?? "");
    const environment = readFileSync(`/proc/${outer}/environ`, "utf8");
    expect(environment).not.toContain("NODE_OPTIONS");
    const options = readFileSync(`/proc/${outer}/cmdline`, "utf8").split("\0");
    expect(options).toContain("--disable-sigusr1");
    expect(readFileSync(`/proc/${outer}/limits`, "utf8")).toMatch(/Max core file size\s+0\s+0/);
  }
  if (node.sandbox.isRoot) expect(users.size).toBe(insidePids.length);
});

/** The process id outside of a process of the sandbox. */
const outerPid = (inside: number): string => {
  for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
    try {
      const ids = statusOf(`/proc/${pid}/status`).get("NSpid")?.split("\t") ?? [];
      const isOurs = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("proxy/");
      if (isOurs && ids.length > 1 && Number(ids.at(-1)) === inside && belongsToSandbox(pid)) return pid;
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error(`no process ${inside}`);
};

const belongsToSandbox = (pid: string): boolean =>
  readFileSync(`/proc/${pid}/environ`, "utf8").includes(node.directory) ||
  readFileSync(`/proc/${pid}/environ`, "utf8").includes("HEDDLE_WORKER=");

test("a worker has no network, and cannot see into its siblings or the state", async () => {
  const [worker] = (await node.sandbox.run(["pgrep", "-f", "proxy/worker/main.ts"])).trim().split("\n");
  const links = await node.sandbox.run(["nsenter", `--net=/proc/${worker}/ns/net`, "ip", "-o", "link"]);
  expect(
    links
      .trim()
      .split("\n")
      .map((line) => line.split(": ")[1]),
  ).toEqual(["lo"]);
  expect(links).toContain("state DOWN");
  if (!node.sandbox.isRoot) return;
  const owner = () => node.sandbox.run(["stat", "-c", "%u", `/proc/${worker}/environ`]);
  await expect.poll(owner, soon).toBe("0\n");
  const [agent] = (await node.sandbox.run(["pgrep", "-f", "proxy/agent/main.ts"])).trim().split("\n");
  for (const path of [
    `/proc/${worker}/mem`,
    `/proc/${worker}/environ`,
    `/proc/${agent}/mem`,
    join(node.directory, "ca/state.json"),
  ]) {
    const read = node.sandbox.run(["head", "-c", "1", path], { asUser: 64_001 });
    await expect(read, path).rejects.toThrow(/Permission denied/);
  }
});

test("with the control plane never there, first connections wait, then are refused, and nothing passes in clear", async () => {
  const lonely = await BareNode.make(["web"]);
  try {
    await lonely.startSupervisor({ HEDDLE_START_WAIT: "2s" });
    const server = lonely.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns: "web" });
    await until(
      () => server.output.includes("listening"),
      () => server.output,
    );
    await lonely.enrol("web");
    const command = [process.execPath, join(PROGRAMS, "client.ts"), "ask", lonely.address("web"), "8080"];
    expect(JSON.parse(await lonely.sandbox.run(command))).toEqual({ bytes: 0, text: "", error: "ECONNRESET" });
    await expect
      .poll(() => lonely.accessLog().at(-1), soon)
      .toMatchObject({ reason: "not-ready", "pod.name": "web", "dst.addr": `${lonely.address("web")}:8080` });
    expect((await lonely.status()).notReady).toContain("the control plane has not sent everything yet");
  } finally {
    await lonely.dispose();
  }
});
