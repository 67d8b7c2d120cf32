import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

let node: BareNode;

beforeAll(async () => {
  node = await BareNode.make(["client", "web"]);
  const server = node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns: "web" });
  await until(
    () => server.output.includes("listening"),
    () => server.output,
  );
  await node.upWith("client", "web");
});
afterAll(() => node.dispose());

const call = async (...args: readonly string[]) => {
  const command = [process.execPath, join(PROGRAMS, "client.ts"), ...args];
  const output = await node.sandbox.run(command, { netns: "client" });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
};

test("a supervisor that starts where another one serves takes over from it", async () => {
  const before = node.supervisor;
  const load = call("load", node.address("web"), "8080", "6", "4");
  await node.startSupervisor({ HEDDLE_DRAIN_SECONDS: "3" });
  await node.served("client", "web");
  await until(
    () => before?.hasEnded === true,
    () => before?.output,
  );
  const { ok, ...wrong } = await load;
  expect(wrong).toEqual({ refused: 0, reset: 0, other: 0, direct: 0 });
  expect(ok).toBeGreaterThan(10);
  expect(await node.sandbox.pids("proxy/supervisor/main.ts")).toHaveLength(1);
  expect(await node.sandbox.pids("proxy/agent/main.ts")).toHaveLength(1);
  expect(await node.sandbox.pids("proxy/worker/main.ts")).toHaveLength(1);
  expect((await call("ask", node.address("web"), "8080")).error).toBeUndefined();
});

/** What somebody is answered who asks for a hand-over, as this command line's first words make him. */
const askForHandOver = async (handOver: number, ...as: readonly string[]): Promise<string> => {
  const request = JSON.stringify({ version: 1, kind: "hand-over", handOver });
  const script = `require("net").connect(process.argv[1]).on("data", (d) => { console.log(String(d)); process.exit(); })
    .write(process.argv[2] + "\\n");`;
  const path = join(node.directory, "run/enrol.sock");
  return node.sandbox.run([...as, process.execPath, "-e", script, path, request]);
};

test("nobody takes over who could not have made the sockets himself, or speaks another version", async () => {
  const powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"];
  expect(await askForHandOver(1, ...powerless)).toContain("must hold CAP_SYS_ADMIN and CAP_NET_ADMIN");
  expect(await askForHandOver(2)).toContain("hand-over version 2 is not spoken, only 1");
  expect((await call("ask", node.address("web"), "8080")).error).toBeUndefined();
});

test("a supervisor that dies while it hands over leaves the pods to the next, which lets nothing pass in clear", async () => {
  const old = node.supervisor;
  await node.sandbox.signal("control-plane/main.ts", "STOP");
  const next = node.startSupervisor({ HEDDLE_DRAIN_SECONDS: "3" });
  await until(
    () => old?.output.includes("another supervisor takes over") === true,
    () => old?.output,
  );
  const [, pid = 0] = await node.sandbox.pids("proxy/supervisor/main.ts");
  const load = call("load", node.address("web"), "8080", "5", "2");
  old?.kill();
  await next;
  await node.sandbox.signal("control-plane/main.ts", "CONT");
  expect(await node.sandbox.pids("proxy/supervisor/main.ts")).toEqual([pid]);
  await node.served("client", "web");
  expect(await load).toMatchObject({ direct: 0, other: 0 });
  expect((await call("ask", node.address("web"), "8080")).error).toBeUndefined();
});

test("rules that were changed while nobody looked are put back by the supervisor that takes over", async () => {
  await node.sandbox.run(["nft", "flush", "ruleset"], { netns: "client" });
  await node.startSupervisor({ HEDDLE_DRAIN_SECONDS: "1" });
  await until(
    () => node.supervisor?.output.includes("the pod is captured again") === true,
    () => node.supervisor?.output,
  );
  const { text = "{}" } = await call("ask", node.address("web"), "8080");
  expect(JSON.parse(String(text))).toMatchObject({ pod: expect.any(String) });
});
