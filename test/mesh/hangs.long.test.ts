import { afterAll, beforeAll, expect, test } from "vitest";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { onNode, serverPod, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "shop.yaml":
    namespace("shop", AMBIENT) + sleeper("shop/client", { annotations: onNode(1) }) + serverPod("shop/web", 2),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const HUNG = [
  /control plane: does not answer: [^]*another takes its place/,
  /node-1: its supervisor does not answer: [^]*another takes its place/,
];

test("a supervisor or control plane that hangs is named by status, and replaced by whoever started it", async () => {
  const pids = async () => {
    const { controlPlane, nodes } = await mesh.status();
    return [controlPlane.process, nodes[0]?.supervisor].map((each) => (each?.kind === "running" ? each.pid : 0));
  };
  const hung = await pids();
  await mesh.signal({ role: "control-plane", signal: "SIGSTOP" });
  await mesh.signal({ node: "node-1", role: "supervisor", signal: "SIGSTOP" });
  // Each may be replaced before the other is told of, on a machine where telling takes long.
  let told = "";
  await expect
    .poll(
      async () => {
        told += (await mesh.heddle("status")).stdout;
        return HUNG.filter((words) => !words.test(told));
      },
      { timeout: 60_000 },
    )
    .toEqual([]);
  await expect
    .poll(async () => (await pids()).some((pid, index) => pid === hung[index] || pid === 0), { timeout: 90_000 })
    .toBe(false);
  await expect.poll(() => mesh.findings(), { timeout: 60_000 }).toEqual([]);
});
