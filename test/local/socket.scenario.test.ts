import { once } from "node:events";
import { statSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NodeReport } from "#local/status.ts";
import { commandLineOf, tracesOf } from "./kernel-traces.ts";
import { TestMesh } from "./test-mesh.ts";
import { call, greeter, namespace, pod, sleeper } from "./yaml.ts";

const onNode = (node: number) => ({ annotations: { "local.heddle.dev/node": String(node) } });

const mesh = new TestMesh({
  "all.yaml": [
    namespace("shop"),
    sleeper("shop/client", onNode(1)),
    greeter("shop/web", onNode(2)),
    pod("shop/ticker", ["sh", "-c", "i=0; while :; do echo $((i += 1)); sleep 0.05; done"]),
  ].join(""),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const ask = (path: string, method = "GET") => {
  const asked = request({ socketPath: join(mesh.state, "heddle.sock"), path, method });
  asked.on("error", () => {});
  asked.end();
  return asked;
};

const answerTo = async (path: string): Promise<{ readonly status: number | undefined; readonly body: string }> => {
  const [answer] = (await once(ask(path), "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of answer) body += String(chunk);
  return { status: answer.statusCode, body };
};

test("nobody else may speak to the mesh", () => {
  expect(statSync(join(mesh.state, "heddle.sock")).mode & 0o777).toBe(0o600);
  expect(statSync(mesh.state).mode & 0o777).toBe(0o700);
});

test("a command's exit code, its output and its complaints come back as they are", async () => {
  const { code, stdout, stderr } = await mesh.heddle(
    "exec",
    "shop/client",
    "--",
    "sh",
    "-c",
    "echo o; echo e >&2; exit 9",
  );
  expect([code, stdout, stderr]).toEqual([9, "o\n", "e\n"]);
  expect((await mesh.heddle("exec", "shop/client", "--", "sh", "-c", "kill -9 $$")).code).toBe(137);
  expect((await mesh.heddle("exec", "shop/client", "--", "no-such-program")).code).toBe(127);
  const json = await mesh.heddle("exec", "shop/client", "-o", "json", "--", "echo", "hello");
  expect(JSON.parse(json.stdout)).toEqual({ exitCode: 0, stdout: "hello\n", stderr: "" });
});

test("megabytes go in and out unharmed", async () => {
  const input = Array.from({ length: 200_000 }, (_, index) => `line ${index}\n`).join("");
  const { stdout } = await mesh.heddleWithInput(input, "exec", "-i", "shop/client", "--", "cat");
  expect(stdout === input).toBe(true);
});

test("without -i a command reads nothing", async () => {
  const { stdout } = await mesh.heddleWithInput("secret", "exec", "shop/client", "--", "cat");
  expect(stdout).toBe("");
});

test("a command can have a terminal", async () => {
  const { stdout, code } = await mesh.heddle("exec", "-t", "shop/client", "--", "sh", "-c", "tty; stty size; exit 5");
  expect([stdout, code]).toEqual(["/dev/pts/0\r\n24 80\r\n", 5]);
});

test("a command ends when whoever asked for it is gone", async () => {
  const cli = mesh.spawn("exec", "shop/client", "--", "sleep", "98765");
  const isRunning = (): boolean => tracesOf(mesh.name).pids.some((pid) => commandLineOf(pid).endsWith("sleep 98765"));
  await expect.poll(isRunning, { timeout: 5_000 }).toBe(true);
  cli.kill("SIGKILL");
  await expect.poll(isRunning, { timeout: 5_000 }).toBe(false);
});

test("what passes between the nodes can be captured, and is readable where nothing encrypts it", async () => {
  const [capture] = (await once(ask("/capture?node=node-2"), "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  capture.on("data", (chunk: Buffer) => chunks.push(chunk));
  await expect.poll(() => Buffer.concat(chunks).length, { timeout: 5_000 }).toBeGreaterThanOrEqual(24);
  const address = (await mesh.pod("shop/web"))?.addresses[0] ?? "";
  await mesh.exec("shop/client", ...call(address, 8080));
  await expect.poll(() => Buffer.concat(chunks).includes("web greets ")).toBe(true);
  expect(Buffer.concat(chunks).readUInt32LE(0)).toBe(0xa1b2c3d4);
  capture.destroy();
});

test("a log is followed while it grows, from where one wants", async () => {
  const cli = mesh.spawn("logs", "shop/ticker", "-f", "--tail", "2");
  let text = "";
  cli.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await expect.poll(() => text.split("\n").length, { timeout: 5_000 }).toBeGreaterThan(6);
  cli.kill();
  const numbers = text.trim().split("\n").map(Number);
  expect(numbers[0]).toBeGreaterThan(1);
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
});

test.each([
  ["supervisor", (node: NodeReport) => (node.supervisor.kind === "running" ? node.supervisor.pid : undefined)],
  ["worker", (node: NodeReport) => node.agent?.workers[0]?.pid],
] as const)("a signal reaches the %s of a node, and another takes its place", async (role, pidOf) => {
  const pid = async (): Promise<number | undefined> => {
    const node = (await mesh.status()).nodes[1];
    return node && pidOf(node);
  };
  const before = await pid();
  expect(await mesh.signal({ node: "node-2", role, index: 0, signal: "SIGKILL" })).toBe(200);
  await expect.poll(async () => [undefined, before].includes(await pid()), { timeout: 10_000 }).toBe(false);
  await expect.poll(async () => (await mesh.heddle("status")).code, { timeout: 10_000 }).toBe(0);
});

test("a signal reaches the agent of a node", async () => {
  const agents = (): readonly number[] =>
    tracesOf(mesh.name).pids.filter((pid) => commandLineOf(pid).includes("proxy/agent/main.ts"));
  const before = agents();
  expect(await mesh.signal({ node: "node-2", role: "agent", signal: "SIGKILL" })).toBe(200);
  await expect.poll(() => agents().filter((pid) => !before.includes(pid)), { timeout: 10_000 }).toHaveLength(1);
  await expect.poll(async () => (await mesh.heddle("status")).code, { timeout: 10_000 }).toBe(0);
});

test.each([
  { node: "node-9", role: "worker", signal: "SIGKILL" },
  { node: "node-1", role: "janitor", signal: "SIGKILL" },
  { node: "node-1", role: "supervisor", signal: "SIGNAL" },
])("a signal to nobody, or that is none, is refused: %j", async (body) => {
  expect(await mesh.signal(body)).toBe(404);
});

test.each([
  ["/nothing", 404, "nothing is at /nothing"],
  ["/nodes/node-9/status", 404, "nothing is at"],
  ["/capture?node=node-9", 404, "there is no node"],
  ["/logs?pod=x", 400, "name a pod"],
])("%s is answered with %i and words", async (path, status, words) => {
  const answer = await answerTo(path);
  expect(answer.status).toBe(status);
  expect(answer.body).toContain(words);
});

test("the admin APIs of the control plane and of agents are reached through the mesh's socket", async () => {
  const token = (await answerTo("/control-plane/inventory")).body;
  expect(JSON.parse(token)).toMatchObject({ pods: expect.any(Array) });
  expect(JSON.parse((await answerTo("/nodes/node-2/status")).body)).toMatchObject({ node: "node-2" });
});
