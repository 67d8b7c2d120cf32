import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { LOCAL_PORTS } from "#proxy/kernel/pod-sockets.ts";
import { BareNode, until } from "./bare-node.ts";
import type { Started } from "./sandbox.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

let node: BareNode;

beforeAll(async () => {
  node = await BareNode.make(["client", "web", "busy", "probed", "spare", "runner", "partner", "late"]);
  await node.startControlPlane();
  // Both would reach the children if they inherited anything.
  await node.startSupervisor({ NODE_OPTIONS: "--no-deprecation", SECRET: "not for children" });
});
afterAll(() => node.dispose());

const soon = { timeout: 10_000 };

const listens = (started: Started): Promise<void> =>
  until(
    () => started.output.includes("listening"),
    () => started.output,
  );

test.runIf(process.getuid?.() === 0)(
  "another user is kept away from enrolment by the file system, and where that fails by the kernel's word",
  async () => {
    const path = join(node.directory, "run/enrol.sock");
    const script = `const socket = require("net").connect(process.argv[1]).on("error", (e) => console.log(e.code)).on("close", () => console.log("closed")).on("data", (text) => console.log(String(text)));
      socket.write('{"version":1,"kind":"complete"}\\n');`;
    const ask = () => node.sandbox.run([process.execPath, "-e", script, path], { asUser: 65_534 });
    expect(await ask()).toBe("EACCES\nclosed\n");
    await node.sandbox.run(["chmod", "666", path]);
    onTestFinished(() => void node.sandbox.run(["chmod", "600", path]));
    expect(await ask()).toMatch(/^(EPIPE\n|ECONNRESET\n)?closed\n$/);
    expect(node.supervisor?.output).toContain("a process of another user tried to enrol pods");
  },
);

/** Starts the servers in a pod, if they do not run there yet. */
const serve = async (netns: string): Promise<void> => {
  if (serving.has(netns)) return;
  serving.add(netns);
  await listens(node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns }));
};
const serving = new Set<string>();

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

const FOREIGN_BIND = join(PROGRAMS, "foreign-bind.ts");

test("once enrolled, nobody in the pod can listen on the proxy's ports, not even beside it, whatever it tries and may do", async () => {
  await node.enrol("web");
  const addresses = ["::", "0.0.0.0", "127.0.0.1", "::1", node.address("web"), node.address("web", 6)].join();
  const command = [process.execPath, FOREIGN_BIND, "now", "15001,15006,15008", addresses];
  const outcomes = JSON.parse(await node.sandbox.run(command, { netns: "web" })) as Readonly<Record<string, string>>;
  expect(Object.keys(outcomes).length).toBeGreaterThanOrEqual(3 * 6 * 6);
  expect(Object.entries(outcomes).filter(([, outcome]) => outcome !== "EADDRINUSE")).toEqual([]);
});

test("who has bound one of the ports before the pod was enrolled cannot listen there afterwards", async () => {
  const command = [process.execPath, FOREIGN_BIND, "early", "15006", node.address("late")];
  const early = node.sandbox.start(command, { netns: "late" });
  await until(
    () => early.output.includes("bound"),
    () => early.output,
  );
  const answer = await node.enrol("late");
  early.endInput("listen\n");
  await until(
    () => early.hasEnded,
    () => early.output,
  );
  // Either the pod is captured and it does not listen, or it is refused, and nothing is captured.
  expect([answer.kind, early.output]).toEqual(["enrolled", "bound\nEADDRINUSE\n"]);
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

/** Has these pods serve, enrolled, whatever earlier tests did. */
const captured = async (...names: readonly string[]): Promise<void> => {
  for (const name of names) await serve(name);
  for (const name of names) await node.enrol(name);
  await node.served(...names);
};

/** Holds connections on which something is under way all the time. Resolves when all of them are open. */
const hold = async (from: string, to: string, count: number) => {
  const words = [join(PROGRAMS, "client.ts"), "hold", node.address(to), "8085", String(count), "eof"];
  const held = node.sandbox.start([process.execPath, ...words], { netns: from });
  await until(
    () => held.output.includes("held"),
    () => held.output,
  );
  return async (): Promise<unknown> => {
    held.endInput();
    await until(
      () => held.lines.length > 0,
      () => held.output,
    );
    return held.lines[0];
  };
};

test("a pod that is enrolled while it runs keeps its connections in both directions", async () => {
  await Promise.all([serve("runner"), serve("partner")]);
  const [endOutward, endInward] = [await hold("runner", "partner", 5), await hold("partner", "runner", 5)];
  expect(await node.enrol("runner")).toMatchObject({ kind: "enrolled" });
  // Several exchanges after it.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await endOutward()).toEqual({ echoed: 5, survivors: 5 });
  expect(await endInward()).toEqual({ echoed: 5, survivors: 5 });
});

test("pods that the enroller does not name when it comes back are withdrawn, and their rules and sockets are gone", async () => {
  for (const name of ["spare", "web", "client"]) await node.enrol(name);
  await serve("web");
  expect(await rules("spare")).toContain("redirect to :15006");
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
  await captured("client", "web");
  // From the node's own namespace: plaintext, so that the proxy dials the application from the caller's address.
  const ports = [];
  for (let attempt = 0; attempt < 8; attempt++) ports.push((await whoami(undefined, node.address("web"))).peerPort);
  expect(ports.every((port) => port >= 10_240 && port <= 32_767)).toBe(true);
  // To an address outside the mesh: a dial of the pod's own.
  const listener = node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], {
    env: { LISTEN: "10.99.0.1" },
  });
  await listens(listener);
  const outside = await whoami("client", "10.99.0.1");
  expect(outside.peer).toBe(node.address("client"));
  expect(outside.peerPort).toBeGreaterThanOrEqual(32_768);
  listener.kill();
});

// Each leaves its ports resting for a minute, unless they are used again: here there are fewer of them than calls.
test.each([
  ["through a tunnel", "client"],
  ["in clear", "partner"],
])("%s, 10,000 short calls of one pod to another do not run out of source ports", async (_, from) => {
  await captured("client", "web");
  const free = LOCAL_PORTS.last - 8_000;
  await node.sandbox.run(["sysctl", "-w", `net.ipv4.ip_local_reserved_ports=${LOCAL_PORTS.first}-${free}`], {
    netns: "web",
  });
  expect(await call(from, "burst", node.address("web"), "8081", "10000", "32")).toEqual({
    ok: 10_000,
    refused: 0,
    reset: 0,
    other: 0,
    direct: 0,
  });
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
  await captured("client", "web");
  await serve("probed");
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
  await captured("web");
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

/** A file of a process, as the root of the sandbox reads it. */
const proc = (pid: number, file: string): Promise<string> => node.sandbox.run(["cat", `/proc/${pid}/${file}`]);

/** /proc/PID/status as a map. */
const statusOf = async (pid: number, file = "status"): Promise<ReadonlyMap<string, string>> =>
  new Map((await proc(pid, file)).split("\n").map((line) => line.split(":\t") as [string, string]));

/** Agent and worker, once they are what they are to be: what starts them has their words in its command line, too. */
const confined = async () => {
  const programs = async () => ({
    agents: await node.sandbox.pids("proxy/agent/main.ts"),
    workers: await node.sandbox.pids("proxy/worker/main.ts"),
  });
  await expect.poll(async () => (await node.status()).config.enforced, soon).toBeGreaterThan(0);
  await expect.poll(programs, soon).toMatchObject({ agents: [expect.any(Number)], workers: [expect.any(Number)] });
  const { agents, workers } = await programs();
  return { agent: agents[0] ?? 0, worker: workers[0] ?? 0 };
};

test("every thread of agent and workers is without privileges, under users of their own, and nobody may look into them", async () => {
  const pids = Object.values(await confined());
  const users = new Set<string>();
  for (const pid of pids) {
    const threads = (await node.sandbox.run(["ls", `/proc/${pid}/task`])).trim().split("\n");
    expect(threads.length).toBeGreaterThan(1);
    for (const thread of threads) {
      const status = await statusOf(pid, `task/${thread}/status`);
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
        expect(status.get(set), `${set} of ${thread}`).toBe("0000000000000000");
      }
      expect(status.get("NoNewPrivs")).toBe("1");
      // A filter of system calls; what they can do under it: hostile-worker.scenario.test.ts.
      expect(status.get("Seccomp")).toBe("2");
    }
    users.add((await statusOf(pid)).get("Uid") ?? "");
    expect((await proc(pid, "cmdline")).split("\0")).toContain("--disable-sigusr1");
    expect(await proc(pid, "limits")).toMatch(/Max core file size\s+0\s+0/);
  }
  if (node.sandbox.isRoot) expect(users.size).toBe(pids.length);
});

test("agent and workers have the environment that the supervisor chose, and nothing of its own", async () => {
  const { agent, worker } = await confined();
  const keys = async (pid: number): Promise<readonly string[]> =>
    (await proc(pid, "environ"))
      .split("\0")
      .filter((entry) => entry !== "")
      .map((entry) => entry.split("=")[0] ?? "")
      .sort();
  expect(await keys(worker)).toEqual(["HEDDLE_NODE", "HEDDLE_SUPERVISOR_PID", "HEDDLE_WORKER", "NODE_COMPILE_CACHE"]);
  expect(await keys(agent)).toEqual([
    "HEDDLE_AGENT_SOCKET",
    "HEDDLE_CONTROL_PLANE",
    "HEDDLE_INSTANCE",
    "HEDDLE_ISOLATION",
    "HEDDLE_JOIN_TOKEN_FILE",
    "HEDDLE_NODE",
    "HEDDLE_ROOTS_FILE",
    "HEDDLE_SUPERVISOR_PID",
    "NODE_COMPILE_CACHE",
  ]);
});

test("a worker has no network, and cannot see into its siblings or the state", async () => {
  const { agent, worker } = await confined();
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

/** The beginnings of a private key: PEM, PKCS#8 as base64 and hex, SEC 1 as base64, and PKCS#8 byte by byte as JSON has them. */
const KEYS = /PRIVATE KEY|MIGHAgEA|308187020100|MHcCAQEE|48,129,135,2,1,0|"0":48,"1":129,"2":135/i;

test("nothing that the agent tells an operator has a private key in it", async () => {
  await captured("client", "web");
  for (const path of ["/status", "/certificates", "/config_dump"]) {
    const said = JSON.stringify(await node.askAgent(path));
    expect(said).toContain("client");
    expect(said).not.toMatch(KEYS);
  }
});

/** A node with one pod in which servers run, and a call to it by somebody who is no pod. */
const lonelyPod = async () => {
  const lonely = await BareNode.make(["web"]);
  onTestFinished(() => lonely.dispose());
  await listens(lonely.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns: "web" }));
  const command = [process.execPath, join(PROGRAMS, "client.ts"), "ask", lonely.address("web"), "8080"];
  const ask = () => {
    let outcome: unknown = "pending";
    lonely.sandbox.run(command).then(
      (output) => (outcome = JSON.parse(output)),
      (error: unknown) => (outcome = error),
    );
    return () => outcome;
  };
  return { lonely, ask };
};

/** What a probe of the node is answered. */
const readiness = ({ sandbox }: BareNode): Promise<string> => {
  const script = `fetch("http://127.0.0.1:15021/healthz/ready").then(async (r) => process.stdout.write(r.status + " " + (await r.text())))`;
  return sandbox.run([process.execPath, "-e", script]);
};

const afterSeconds = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));

test("with the control plane never there, first connections wait, then are refused, and nothing passes in clear", async () => {
  const { lonely, ask } = await lonelyPod();
  // How long they wait is the default.
  await lonely.startSupervisor();
  await lonely.enrol("web");
  const outcome = ask();
  await afterSeconds(2);
  expect(outcome()).toBe("pending");
  await expect.poll(outcome, { timeout: 20_000 }).toEqual({ bytes: 0, text: "", error: "ECONNRESET" });
  await expect
    .poll(() => lonely.accessLog().at(-1), soon)
    .toMatchObject({ reason: "not-ready", "pod.name": "web", "dst.addr": `${lonely.address("web")}:8080` });
  await lonely.complete();
  expect(await readiness(lonely)).toBe("503 the control plane has not sent everything yet\n");
  await lonely.startControlPlane();
  await expect.poll(() => readiness(lonely), { timeout: 20_000 }).toBe("200 ready\n");
  await lonely.served("web");
});

/** A pod that was enrolled while the control plane is stopped. */
const enrolledInVain = async (startWait: string) => {
  const { lonely, ask } = await lonelyPod();
  await lonely.startControlPlane();
  await lonely.startSupervisor({ HEDDLE_START_WAIT: startWait });
  await expect.poll(async () => (await lonely.status()).config.enforced, soon).toBeGreaterThan(0);
  await lonely.sandbox.signal("control-plane/main.ts", "STOP");
  await lonely.enrol("web");
  return { ask, goOn: () => lonely.sandbox.signal("control-plane/main.ts", "CONT") };
};

const SERVED = { text: expect.stringContaining('"pod"') };

test("a connection to a pod that is enrolled while the control plane hangs waits as long as it may, and is then served", async () => {
  const { ask, goOn } = await enrolledInVain("1m");
  const outcome = ask();
  // Longer than the default.
  await afterSeconds(6);
  expect(outcome()).toBe("pending");
  await goOn();
  await expect.poll(outcome, soon).toMatchObject(SERVED);
});

test("one that may not wait so long is refused, and later ones are served", async () => {
  const { ask, goOn } = await enrolledInVain("1s");
  await expect.poll(ask(), soon).toMatchObject({ error: "ECONNRESET" });
  await goOn();
  await expect
    .poll(async () => {
      const outcome = ask();
      await expect.poll(outcome, soon).not.toBe("pending");
      return outcome();
    }, soon)
    .toMatchObject(SERVED);
});
