import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";
import { openDescriptors, pidOf } from "./process-footprint.ts";
import type { Started } from "./sandbox.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");
const PODS = 200;
/** On a machine that does something else as well; what it took is printed. */
const ENROLMENT_LIMIT_MS = 60_000;

/** How much the stocks of sockets of the pods that stay may differ, half of two times 64; a visitor that left its three listening sockets behind would show. */
const STOCKS = 64;
const MIN_VISITS = 24;

const soon = { timeout: 30_000 };

const numbered = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `p${index}`);

const nodeWith = async (...names: readonly string[]): Promise<BareNode> => {
  const node = await BareNode.make(names);
  onTestFinished(() => node.dispose());
  await node.startControlPlane();
  await node.startSupervisor();
  return node;
};

test(`${PODS} pods of one node are enrolled at once and served, and leave nothing behind`, async () => {
  const names = numbered(PODS);
  const node = await nodeWith(...names);
  const supervisor = await pidOf(node, "proxy/supervisor");
  const before = await openDescriptors(node, supervisor);
  const startedAt = performance.now();
  const passed = (): number => Math.round(performance.now() - startedAt);
  const answers = await Promise.all(names.map((name) => node.enrol(name, {}, ENROLMENT_LIMIT_MS)));
  const enrolledMs = passed();
  expect(answers.filter(({ kind }) => kind !== "enrolled")).toEqual([]);
  await node.served(...names);
  process.stdout.write(`${PODS} pods: enrolled in ${enrolledMs} ms, served in ${passed()} ms\n`);
  // All are forgotten at once, as by an enroller that came back to an empty node.
  await node.reconnectEnroller();
  await node.complete();
  await expect.poll(() => openDescriptors(node, supervisor), soon).toBeLessThanOrEqual(before);
});

const start = (node: BareNode, netns: string, program: string, ...args: readonly string[]): Started =>
  node.sandbox.start([process.execPath, join(PROGRAMS, program), ...args], { netns });

const says = (started: Started, words: string): Promise<void> =>
  until(
    () => started.output.includes(words),
    () => started.output,
    soon.timeout,
  );

test("pods come and go under load, are reached when they are there, and nobody else notices", async () => {
  const guests = numbered(8);
  const node = await nodeWith("client", "web", ...guests);
  for (const name of ["client", "web"]) await node.enrol(name);
  await node.complete();
  await node.served("client", "web");
  for (const name of ["web", ...guests]) await says(start(node, name, "server.ts"), "listening");
  const call = (command: string, to: string, ...more: readonly string[]): Started =>
    start(node, "client", "client.ts", command, node.address(to), ...more);
  const held = call("hold", "web", "8085", "50", "eof");
  await says(held, "held");
  const pids = await Promise.all([pidOf(node, "proxy/supervisor"), pidOf(node, "proxy/worker")]);
  const descriptors = () => Promise.all(pids.map((pid) => openDescriptors(node, pid)));

  /** One comes, is called through a tunnel, and goes. */
  const visit = async (name: string): Promise<void> => {
    expect(await node.enrol(name)).toMatchObject({ kind: "enrolled" });
    await node.served(name);
    const asked = call("ask", name, "8080");
    await says(asked, "}");
    expect(asked.lines[0]).toMatchObject({ text: expect.stringContaining(node.address("client")) });
    expect(await node.withdraw(name)).toMatchObject({ kind: "withdrawn" });
  };
  // What the client keeps for later calls to each of them, and the sockets that are made ahead of their use.
  for (const name of guests) await visit(name);
  await says(call("load", "web", "8080", "2", "8"), "ok");
  const before = await descriptors();
  const load = call("load", "web", "8080", "30", "8");
  for (let round = 0; load.lines.length === 0 || round < MIN_VISITS; round++)
    await visit(guests[round % guests.length] ?? "");
  const { ok, ...wrong } = load.lines[0] ?? {};
  expect(wrong).toEqual({ refused: 0, reset: 0, other: 0, direct: 0 });
  expect(ok).toBeGreaterThan(20);
  held.endInput();
  await says(held, "survivors");
  expect(held.lines.at(-1)).toEqual({ echoed: 50, survivors: 50 });
  await expect
    .poll(async () => {
      const [supervisor = 0, worker = 0] = await descriptors();
      return [supervisor <= (before[0] ?? 0) || supervisor, worker <= (before[1] ?? 0) + STOCKS || worker];
    }, soon)
    .toEqual([true, true]);
  expect(await node.sandbox.pids("proxy/worker/main.ts")).toEqual([pids[1]]);
});
