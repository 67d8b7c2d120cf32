import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AgentStatus } from "#mesh/admin/agent-status.ts";
import { BareNode, until } from "./bare-node.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

let node: BareNode;

beforeAll(async () => {
  node = await BareNode.make(["client", "web", "spare"]);
  for (const netns of ["web", "spare"]) {
    const server = node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns });
    await until(
      () => server.output.includes("listening"),
      () => server.output,
    );
  }
});
afterAll(() => node.dispose());

const call = async (from: string, ...args: readonly string[]) => {
  const command = [process.execPath, join(PROGRAMS, "client.ts"), ...args];
  const output = await node.sandbox.run(command, { netns: from });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
};

const stateOf = (netns: string): Promise<string> =>
  node.sandbox.run(
    [
      "sh",
      "-c",
      "nft list ruleset; ip rule; ip -6 rule; cd /proc/sys/net/ipv4; grep -H . ip_local_port_range ip_local_reserved_ports tcp_tw_reuse conf/*/rp_filter || true; ss -Hltn 'sport >= 15000'",
    ],
    { netns },
  );

/** Waits until something is so of the node, as its agent says. */
const untilStatus = (isSo: (status: AgentStatus) => boolean): Promise<void> =>
  until(
    async () => isSo(await node.status()),
    () => node.supervisor?.output,
    60_000,
  );

const homeOf = async (name: string): Promise<number | undefined> =>
  (await node.status()).pods.find((pod) => pod.name === name)?.worker;

/** Kills the worker that serves a pod, and waits until another does. */
const crashWorkerOf = async (name: string): Promise<void> => {
  const [home, { workers }] = [await homeOf(name), await node.status()];
  const before = workers.find(({ index }) => index === home);
  await node.sandbox.run(["kill", "-KILL", String(before?.pid)]);
  await untilStatus(({ workers: after }) => after.every(({ startId }) => startId !== before?.startId));
};

test("a supervisor that is killed leaves nothing for good: the next one puts back what the first one found", async () => {
  const before = { web: await stateOf("web"), spare: await stateOf("spare") };
  await node.upWith("client", "web", "spare");
  for (let killed = 0; killed < 2; killed++) {
    node.supervisor?.kill();
    await node.startSupervisor();
    for (const name of ["client", "web", ...(killed === 0 ? ["spare"] : [])]) await node.enrol(name);
    await node.complete();
    await node.served("client", "web");
  }
  // Nobody wanted it when the last supervisor came, and its rules were there.
  expect(await stateOf("spare")).toBe(before.spare);
  expect((await call("spare", "ask", node.address("spare"), "8080")).error).toBeUndefined();
  await node.withdraw("web");
  expect(await stateOf("web")).toBe(before.web);
  await node.enrol("web");
  await node.served("web");
});

test("a pod whose worker crashes twice gets a worker of its own, and takes nobody along from then on", async () => {
  await crashWorkerOf("web");
  await node.served("client", "web");
  // It came after the first crash, and cannot have caused it.
  await node.enrol("spare");
  await node.served("spare");
  expect(await homeOf("spare")).toBe(await homeOf("web"));
  await node.withdraw("client");
  await node.enrol("client");
  await node.served("client");
  await crashWorkerOf("web");
  await node.served("client", "web", "spare");
  const [web, spare, client] = [await homeOf("web"), await homeOf("spare"), await homeOf("client")];
  expect(web).not.toBe(spare);
  expect(client).toBe(spare);
  const held = call("client", "hold", node.address("spare"), "8085", "10", "4000");
  const load = call("client", "load", node.address("spare"), "8080", "4", "4");
  const toWeb = call("client", "load", node.address("web"), "8080", "4", "2");
  for (let crash = 0; crash < 3; crash++) {
    await crashWorkerOf("web");
    await node.served("web");
  }
  expect(await held).toEqual({ echoed: 10, survivors: 10 });
  expect(await load).toMatchObject({ refused: 0, reset: 0, other: 0, direct: 0 });
  // It is its own clients that notice, and not by being refused.
  expect(await toWeb).toMatchObject({ refused: 0, other: 0, direct: 0 });
  expect(await homeOf("web")).toBe(web);
});
