import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";
import { hostileTree } from "./hostile/hostile-tree.ts";
import type { ChannelAttack } from "./hostile/orders.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

/** What a supervisor has open for itself, two workers and two pods is about 60; what waits for a worker that does not read is bounded. */
const MAX_SUPERVISOR_DESCRIPTORS = 10_000;

/** Workers that start again and again, ever more slowly, on a machine that does other things too. */
const SLOW_MS = 120_000;

/** A node with a pod in each of two workers, of which the first attacks the supervisor. */
const attackedNode = async (attack: ChannelAttack) => {
  const node = await BareNode.make(["client", "web"]);
  onTestFinished(() => node.dispose());
  await node.startControlPlane();
  const none = { secrets: {}, sockets: {}, writable: {}, addresses: [], namespace: "" };
  const tree = hostileTree(node.directory, { attack, ...none });
  await node.startSupervisor({ HEDDLE_WORKERS: "2", HEDDLE_PROGRAM: tree });
  // The first goes to the first worker, the second to the other.
  for (const name of ["client", "web"]) await node.enrol(name);
  await node.complete();
  await node.served("web");
  const server = node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns: "web" });
  await until(
    () => server.output.includes("listening"),
    () => server.output,
  );
  return node;
};

/** Somebody outside the mesh calls the pod whose worker is honest. */
const servesTheOther = async (node: BareNode): Promise<void> => {
  const command = [process.execPath, join(PROGRAMS, "client.ts"), "ask", node.address("web"), "8080"];
  expect(JSON.parse(await node.sandbox.run(command))).toMatchObject({ text: expect.stringContaining('"pod"') });
};

const supervisorOf = async (node: BareNode): Promise<number> => {
  const [pid] = await node.sandbox.pids("proxy/supervisor/main.ts");
  return pid ?? expect.fail("there is no supervisor");
};

const descriptorsOf = async (node: BareNode, pid: number): Promise<number> =>
  (await node.sandbox.run(["ls", `/proc/${pid}/fd`])).trim().split("\n").length;

const messages = (node: BareNode): readonly unknown[] => (node.supervisor?.lines ?? []).map(({ msg }) => msg);
const timesEnded = (node: BareNode): number => messages(node).filter((message) => message === "worker ended").length;

test.each<[ChannelAttack, RegExp]>([
  ["flood", /more records than any honest worker; ending it/],
  ["garbage", /a malformed record; ending it/],
  ["greed", /does not read what the supervisor sends; ending it|more records than any honest worker/],
])(
  "%s: a worker that does it is ended each time, and the supervisor serves others and holds no more",
  async (attack, ending) => {
    const node = await attackedNode(attack);
    const supervisor = await supervisorOf(node);
    for (const lives of [2, 4]) {
      await until(
        () => timesEnded(node) >= lives,
        () => node.supervisor?.output.slice(-5_000),
        SLOW_MS,
      );
      await servesTheOther(node);
      expect(await descriptorsOf(node, supervisor)).toBeLessThan(MAX_SUPERVISOR_DESCRIPTORS);
    }
    expect(messages(node).filter((message) => ending.test(String(message))).length).toBeGreaterThanOrEqual(4);
    // One line for each life: a worker cannot fill the log either.
    expect(messages(node).length).toBeLessThan(40 + 12 * timesEnded(node));
    expect(await supervisorOf(node)).toBe(supervisor);
  },
);

test("descriptors that a worker sends to the supervisor do not stay there", async () => {
  const node = await attackedNode("descriptors");
  const supervisor = await supervisorOf(node);
  const before = await descriptorsOf(node, supervisor);
  // Each look comes after thousands were sent.
  for (let look = 0; look < 10; look++) {
    await servesTheOther(node);
    expect(await descriptorsOf(node, supervisor)).toBeLessThan(before + 100);
  }
  expect(await supervisorOf(node)).toBe(supervisor);
});

test("half a record is waited for, and disturbs nobody", async () => {
  const node = await attackedNode("half a record");
  await servesTheOther(node);
  expect(timesEnded(node)).toBe(0);
});
