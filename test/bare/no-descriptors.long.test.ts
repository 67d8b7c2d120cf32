import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";
import { exhaustDescriptors, type NodeProgram, pidOf } from "./process-footprint.ts";
import type { Started } from "./sandbox.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");
/** How long a process is looked at that has none. */
const WINDOW_MS = 5_000;
const soon = { timeout: 30_000 };

let node: BareNode;

beforeAll(async () => {
  node = await BareNode.make(["client", "web", "late"]);
  await node.upWith("client", "web");
  const server = node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns: "web" });
  await until(
    () => server.output.includes("listening"),
    () => server.output,
  );
});
afterAll(() => node.dispose());

/** What of the log of a process there is since. */
const logSince = (program: NodeProgram): (() => readonly Readonly<Record<string, unknown>>[]) => {
  const started = (): Started | undefined => (program === "control-plane" ? node.controlPlane : node.supervisor);
  const from = started()?.lines.length ?? 0;
  return () => (started()?.lines ?? []).slice(from);
};
const saying = (lines: readonly Readonly<Record<string, unknown>>[], words: string): readonly string[] =>
  lines.map(({ msg }) => String(msg)).filter((message) => message.includes(words));

/** Connections that want something: what became of each. */
const knockAt = (path: string, count: number): Promise<readonly string[]> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const { promise, resolve } = Promise.withResolvers<string>();
      const socket = connect(path).on("error", () => resolve("turned away"));
      socket.on("close", () => resolve("turned away"));
      const outcome = await Promise.race([promise, setTimeout(WINDOW_MS, "waits", { ref: false })]);
      socket.destroy();
      return outcome;
    }),
  );

const call = async (): Promise<unknown> => {
  const client = node.sandbox.start(
    [process.execPath, join(PROGRAMS, "client.ts"), "ask", node.address("web"), "8080"],
    {
      netns: "client",
    },
  );
  await until(
    () => client.output.includes("}"),
    () => client.output,
    60_000,
  );
  return client.lines[0];
};
const SERVED = { text: expect.stringContaining('"peer"') };

const SOCKETS = {
  "proxy/supervisor": () => join(node.directory, "run/enrol.sock"),
  "proxy/agent": () => node.agentSocket,
  "control-plane": () => join(node.directory, "admin.sock"),
} as const;

test.each(["proxy/supervisor", "proxy/agent", "control-plane"] as const)(
  "%s without descriptors says what to raise, does not spin, and serves again when it has some",
  async (program) => {
    const [pid, log, path] = [await pidOf(node, program), logSince(program), SOCKETS[program]()];
    const first = connect(path).on("error", () => undefined);
    first.destroy();
    const shortage = await exhaustDescriptors(node, pid, 0, async () => {
      // It loses the descriptor that libuv accepts with where there is no other: what it would lose in a race only.
      const lost = connect(path).on("error", () => undefined);
      await setTimeout(300);
      lost.destroy();
    });
    try {
      expect(await knockAt(path, 5)).toContain("turned away");
      await expect.poll(() => saying(log(), "no file descriptor is left"), soon).toHaveLength(1);
      expect(saying(log(), "no file descriptor is left")[0]).toContain("LimitNOFILE");
      // A supervisor that can make no socket has its pods' calls refused.
      if (program !== "proxy/supervisor") expect(await call()).toMatchObject(SERVED);
      expect(await shortage.busy()).toBeLessThan(0.5);
    } finally {
      await shortage.end();
    }
    await expect.poll(() => saying(log(), "has file descriptors again"), soon).toHaveLength(1);
    await node.reconnectEnroller();
    expect((await node.status()).controlPlane.connected).toBe(true);
    expect(await call()).toMatchObject(SERVED);
    expect(log().length).toBeLessThan(30);
    expect(await pidOf(node, program)).toBe(pid);
  },
);

test("however few descriptors the supervisor has left, a pod is enrolled or refused with the reason", async () => {
  const pid = await pidOf(node, "proxy/supervisor");
  const answers = new Set<string>();
  for (let left = 0; left <= 12; left++) {
    const shortage = await exhaustDescriptors(node, pid, left);
    const answer = await node.enrol("late");
    await shortage.end();
    answers.add(answer.kind);
    if (answer.kind === "refused") expect(answer.reason).toMatch(/EMFILE|too many open files/i);
    else await node.withdraw("late");
  }
  expect([...answers]).toEqual(["refused", "enrolled"]);
  expect(await pidOf(node, "proxy/supervisor")).toBe(pid);
});

test.each(["proxy/supervisor", "proxy/agent"] as const)(
  "a worker that ends while %s has no descriptors serves again when there are some",
  async (program) => {
    const [supervisor, log] = [await pidOf(node, "proxy/supervisor"), logSince("proxy/supervisor")];
    const shortage = await exhaustDescriptors(node, await pidOf(node, program));
    try {
      await node.sandbox.signal("proxy/worker/main.ts", "KILL");
      await expect.poll(() => JSON.stringify(log()), soon).toMatch(/EMFILE|limit of open files/);
    } finally {
      // Another agent has taken the place of one that could not go on.
      await shortage.end().catch(() => undefined);
    }
    await node.served("client", "web");
    await expect.poll(call, soon).toMatchObject(SERVED);
    expect(await pidOf(node, "proxy/supervisor")).toBe(supervisor);
  },
);

test("what changed while the control plane could read little counts as soon as it can; until then all stays", async () => {
  const [pid, log] = [await pidOf(node, "control-plane"), logSince("control-plane")];
  const names = Array.from({ length: 12 }, (_, index) => `newcomer-${index}`);
  // With one descriptor the folder is listed, and of its files few are read.
  const shortage = await exhaustDescriptors(node, pid, 1);
  try {
    for (const name of names) {
      const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
      writeFileSync(join(node.directory, `objects/${name}.json`), JSON.stringify(namespace));
    }
    await expect.poll(() => saying(log(), "cannot be read: EMFILE"), soon).not.toEqual([]);
    expect(await call()).toMatchObject(SERVED);
    // Longer than until each file is read once more in any case.
    await setTimeout(WINDOW_MS);
  } finally {
    await shortage.end();
  }
  const missing = async (): Promise<readonly string[]> => {
    const known = JSON.stringify(await node.configDump());
    return names.filter((name) => !known.includes(`"${name}"`));
  };
  await expect.poll(missing, soon).toEqual([]);
  expect(await pidOf(node, "control-plane")).toBe(pid);
});
