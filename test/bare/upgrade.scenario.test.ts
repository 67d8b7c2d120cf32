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
  expect(ok).toBeGreaterThan(100);
  expect(await node.sandbox.pids("proxy/supervisor/main.ts")).toHaveLength(1);
  expect(await node.sandbox.pids("proxy/agent/main.ts")).toHaveLength(1);
  expect(await node.sandbox.pids("proxy/worker/main.ts")).toHaveLength(1);
  expect((await call("ask", node.address("web"), "8080")).error).toBeUndefined();
});
