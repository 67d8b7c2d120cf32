import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { commandLineOf, tracesOf } from "./kernel-traces.ts";
import { TestMesh } from "./test-mesh.ts";
import { AMBIENT, call, greeter, namespace, pod, service, sleeper } from "./yaml.ts";

const onNode = (node: number) => ({ annotations: { "local.heddle.dev/node": String(node) } });

const objects = {
  "all.yaml": [
    namespace("shop", AMBIENT),
    namespace("outside"),
    sleeper("shop/client", onNode(1)),
    sleeper("outside/stranger", onNode(1)),
    greeter("shop/web-0", { ...onNode(2), labels: { app: "web" } }),
    greeter("shop/other", { ...onNode(2), labels: { app: "other" } }),
    service("shop/web", { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] }),
    pod("shop/talker", ["sh", "-c", "i=0; while :; do echo $((i += 1)); sleep 0.01; done"], onNode(1)),
  ].join(""),
};

const mesh = new TestMesh(objects);

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

/** The closed connections in a node's access log, as `source -> destination`. */
const connections = async (...args: readonly string[]): Promise<readonly string[]> => {
  const { stdout } = await mesh.heddle("logs", "--node", "node-2", "-o", "json", ...args);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Readonly<Record<string, string>>)
    .filter(({ event }) => event === "closed")
    .map((entry) => `${entry["src.workload"]} -> ${entry["dst.workload"]}`);
};

test("the access log is told by who called, who was called, and by service; and filtered before it is cut", async () => {
  expect(await mesh.exec("shop/client", ...call("web.shop", 80))).toMatch(/^web-0 greets/);
  const address = (await mesh.pod("shop/other"))?.addresses[0] ?? "";
  for (let count = 0; count < 3; count++) {
    expect(await mesh.exec("outside/stranger", ...call(address, 8080))).toMatch(/^other greets/);
  }
  await expect.poll(() => connections("--access"), { timeout: 10_000 }).toHaveLength(4);
  const served = ["client -> web-0"];
  const plain = Array<string>(3).fill("stranger -> other");
  expect(await connections("--access", "shop/client")).toEqual(served);
  expect(await connections("--access", "shop/web-0")).toEqual(served);
  expect(await connections("--access", "shop/web")).toEqual(served);
  expect(await connections("--access", "outside/stranger")).toEqual(plain);
  expect(await connections("--access", "shop/stranger")).toEqual([]);
  expect(await connections("--access", "shop/web", "--tail", "1")).toEqual(served);
  expect(await connections("--access", "--tail", "1")).toEqual(plain.slice(0, 1));
});

test("the log of `heddle up` itself is followed while it grows", async () => {
  const follower = mesh.spawn("logs", "--runtime", "-f", "--tail", "0");
  onTestFinished(() => void follower.kill());
  let seen = "";
  follower.stdout.setEncoding("utf8").on("data", (chunk: string) => (seen += chunk));
  // The runtime itself has nothing to say while all is well.
  const says = (): void => appendFileSync(join(mesh.state, "logs/runtime.log"), "something happened\n");
  await expect
    .poll(
      () => {
        says();
        return seen;
      },
      { timeout: 30_000, interval: 500 },
    )
    .toContain("something happened\n");
  expect(follower.exitCode).toBeNull();
});

test.each([
  [["shop/nopod"], "there is no pod shop/nopod; the mesh's pods are outside/stranger, shop/client, "],
  [["--node", "node-9"], "there is no node node-9; the mesh's nodes are node-1, node-2"],
] as const)("a log that does not exist is a failure that names those that do: %j", async (args, complaint) => {
  const { code, stdout, stderr } = await mesh.heddle("logs", ...args);
  expect([code, stdout, stderr]).toEqual([1, "", expect.stringContaining(complaint)]);
});

test.each([
  ["a log", ["logs", "shop/talker", "-f"]],
  ["what a command writes", ["exec", "shop/client", "--", "yes"]],
] as const)("whoever stops reading %s sees no trace of it", async (_, [command, ...args]) => {
  const cli = mesh.spawn(command, ...args);
  cli.stdout.once("data", () => cli.stdout.destroy());
  const [stderr, [code]] = await Promise.all([text(cli.stderr), once(cli, "close")]);
  expect([stderr, code]).toEqual(["", 141]);
});

/** Somebody who follows the log of a node of a mesh of his own. */
const follower = async () => {
  const own = new TestMesh({ "all.yaml": namespace("shop") });
  onTestFinished(() => own.dispose());
  await own.upAndReady();
  const cli = own.spawn("logs", "--node", "node-1", "-f");
  const ended = Promise.all([text(cli.stderr), once(cli, "close")]).then(([stderr, [code]]) => ({ stderr, code }));
  await once(cli.stdout, "data");
  cli.stdout.resume();
  return { own, ended };
};

test("whoever follows a log hears that the mesh was taken down", async () => {
  const { own, ended } = await follower();
  await own.heddle("down");
  expect(await ended).toEqual({ stderr: "the mesh has ended\n", code: 0 });
});

test("whoever follows a log hears that the mesh was lost", async () => {
  const { own, ended } = await follower();
  for (const pid of tracesOf(own.name).pids)
    if (/^unshare .*local\/main/.test(commandLineOf(pid))) process.kill(pid, "SIGKILL");
  expect(await ended).toEqual({
    stderr: `heddle: mesh ${own.name} is gone: it has ended unexpectedly\n`,
    code: 1,
  });
});
