import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";
import { liveBytes, measuredTree, settledBytes } from "./measured-tree.ts";
import { openDescriptors, openSockets, pidOf } from "./process-footprint.ts";
import type { Started } from "./sandbox.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

let node: BareNode;
let worker: number;

beforeAll(async () => {
  node = await BareNode.make(["client", "web", "stranger"]);
  const server = node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns: "web" });
  await until(
    () => server.output.includes("listening"),
    () => server.output,
  );
  await node.startControlPlane();
  await node.startSupervisor({ HEDDLE_PROGRAM: measuredTree(node.directory) });
  for (const name of ["client", "web"]) await node.enrol(name);
  await node.complete();
  await node.served("client", "web");
  // A client's own ports, of which there are fewer than calls, are none of the proxy's business.
  await node.sandbox.run(["sysctl", "-w", "net.ipv4.tcp_tw_reuse=1"], { netns: "stranger" });
  worker = await pidOf(node, "proxy/worker");
});
afterAll(() => node.dispose());

const MINUTES = { timeout: 180_000, interval: 500 };

const crowd = (from: string, ...args: readonly (string | number)[]): Started =>
  node.sandbox.start([process.execPath, join(PROGRAMS, "crowd.ts"), ...args.map(String)], { netns: from });

/** What became of them in the end. */
const outcome = async (started: Started): Promise<unknown> => {
  await until(
    () => started.lines.length > 0,
    () => started.output,
    MINUTES.timeout,
  );
  return started.lines.at(-1);
};

const held = (from: string, count: number): Started => crowd(from, "hold", node.address("web"), 8088, count);

/** Opens so many connections at once and ends them again. */
const comeAndGo = async (from: string, count: number): Promise<void> => {
  const all = held(from, count);
  await until(
    () => all.output.includes("held"),
    () => all.output,
    MINUTES.timeout,
  );
  all.endInput();
  expect(await outcome(all)).toEqual({ ok: count });
};

const row = async (count: number): Promise<void> => {
  expect(await outcome(crowd("stranger", "row", node.address("web"), 8080, count, 32))).toEqual({ ok: count });
};

/** Tunnel connections that stay for later calls, and sockets that were made ahead of their use, of each kind for each pod. */
const KEPT = 50 + 4 * 64;
/**
 * Runs something with so many connections that leaves nothing behind: no descriptors, no sockets, nothing that counts as open,
 * and not half a KiB of memory for each of them.
 */
const leavingNothing = async (count: number, act: () => Promise<void>): Promise<void> => {
  const before = {
    descriptors: await openDescriptors(node, worker),
    sockets: await openSockets(node, "web"),
    bytes: await settledBytes(node),
  };
  await act();
  await expect
    .poll(async () => {
      const { workers } = await node.status();
      const [descriptors, sockets] = [await openDescriptors(node, worker), await openSockets(node, "web")];
      const bytes = (await liveBytes(node)) - before.bytes;
      return {
        descriptors: Math.max(0, descriptors - before.descriptors - KEPT),
        sockets: Math.max(0, sockets - before.sockets - KEPT),
        bytes: bytes < count * 512 ? "few" : bytes,
        open: workers[0]?.openConnections,
      };
    }, MINUTES)
    .toEqual({ descriptors: 0, sockets: 0, bytes: "few", open: 0 });
  // The same process all along.
  expect(await pidOf(node, "proxy/worker")).toBe(worker);
};

test("70,000 calls in a row from outside the mesh, more than there are ports, all see the caller's address and leave nothing behind", async () => {
  await row(2_000);
  await leavingNothing(70_000, () => row(70_000));
});

test.each([
  [6_000, "of a caller outside the mesh", "stranger"],
  [5_000, "of a pod, through tunnels", "client"],
])(
  "%i connections %s are open at once, all see the caller's address and leave nothing behind",
  async (count, _, from) => {
    await comeAndGo(from, count);
    await leavingNothing(count, () => comeAndGo(from, count));
  },
);
