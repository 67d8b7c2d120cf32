import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";
import { otherVersion } from "./other-version.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

let node: BareNode;

beforeEach(async () => {
  node = await BareNode.make(["client", "web"]);
  const server = node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns: "web" });
  await until(
    () => server.output.includes("listening"),
    () => server.output,
  );
  await node.startControlPlane();
});
afterEach(() => node.dispose());

const serve = async (program?: string): Promise<void> => {
  await node.startSupervisor({}, [], program);
  for (const name of ["client", "web"]) await node.enrol(name);
  await node.complete();
  await node.served("client", "web");
};

const call = async (...args: readonly string[]) => {
  const command = [process.execPath, join(PROGRAMS, "client.ts"), ...args];
  const output = await node.sandbox.run(command, { netns: "client" });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
};

/** A setting of a pod's namespace. */
const setting = async (name: string): Promise<string> =>
  (await node.sandbox.run(["cat", `/proc/sys/net/ipv4/${name}`], { netns: "web" })).trim();

const table = (): Promise<string> => node.sandbox.run(["nft", "list", "table", "inet", "heddle"], { netns: "web" });

test("a new version takes over from one that says less and captured otherwise, and brings its pods up to date", async () => {
  const older = otherVersion("0.0.9", [
    ["proxy/supervisor/giver.ts", "  isIsolated,\n  isPrepared,\n});", "} as Giving);"],
    [
      "proxy/supervisor/giver.ts",
      "  capture: pod.capture.state,",
      "  capture: { ...pod.capture.state, definition: undefined },",
    ],
    ["proxy/supervisor/sysctls.ts", '  set("tcp_early_demux", "0");\n', ""],
    [
      "proxy/supervisor/rules.ts",
      "type nat hook input priority 100; policy accept;",
      "type nat hook input priority 70; policy accept;",
    ],
  ]);
  const demux = await setting("tcp_early_demux");
  await serve(older);
  expect([await setting("tcp_early_demux"), await table()]).toEqual([
    demux,
    expect.stringContaining("input priority 70"),
  ]);
  const before = node.supervisor;
  const load = call("load", node.address("web"), "8080", "6", "4");
  await node.startSupervisor({ HEDDLE_DRAIN_SECONDS: "3" });
  await until(
    () => before?.hasEnded === true,
    () => before?.output,
  );
  const { ok, ...wrong } = await load;
  expect(wrong).toEqual({ refused: 0, reset: 0, other: 0, direct: 0 });
  expect(ok).toBeGreaterThan(10);
  await expect.poll(() => setting("tcp_early_demux"), { timeout: 30_000 }).toBe("0");
  await expect.poll(table, { timeout: 30_000 }).toContain("input priority 100");
  expect(node.supervisor?.output).toContain("rules and settings of another version are replaced");
  expect(node.supervisor?.output).not.toContain("was not captured any more");
  expect((await call("ask", node.address("web"), "8080")).error).toBeUndefined();
  // What it found it puts back, also what the older one did not touch.
  await node.withdraw("web");
  expect(await setting("tcp_early_demux")).toBe(demux);
});

test("a supervisor that hands over in another way is told what to do, and the one there goes on", async () => {
  await serve();
  const newer = otherVersion("9.0.0", [
    ["proxy/supervisor/hand-over.ts", "HAND_OVER_VERSION = 1", "HAND_OVER_VERSION = 2"],
  ]);
  const next = node.launchSupervisor({}, [], newer);
  await until(
    () => next.hasEnded,
    () => next.output,
  );
  expect(next.output).toMatch(
    /does not hand over: hand-over version 2 is not spoken, only 1; .*restart the node's proxy/,
  );
  expect(node.supervisor?.hasEnded).toBe(false);
  expect((await call("ask", node.address("web"), "8080")).error).toBeUndefined();
  expect(await node.sandbox.pids("proxy/supervisor/main.ts")).toHaveLength(1);
  // It has not had its last one: the next version takes over.
  await node.startSupervisor({ HEDDLE_DRAIN_SECONDS: "1" });
});

test("of words that a newer version adds to the hand-over the rest is understood", async () => {
  const newer = otherVersion("0.9.0", [
    [
      "proxy/supervisor/taker.ts",
      'this.#channel.write(encodeTaking({ kind: "taken", drainMs }));',
      'this.#channel.write(Buffer.from(\'{"kind":"greeting","from":"the future"}\\n\'));\n' +
        '    this.#channel.write(encodeTaking({ kind: "taken", drainMs }));',
    ],
  ]);
  await serve(
    otherVersion("0.8.0", [
      [
        "proxy/supervisor/giver.ts",
        "    const { pods, isComplete } = this.#proxy;",
        '    this.#say(sender, { kind: "greeting" } as unknown as Giving);\n    const { pods, isComplete } = this.#proxy;',
      ],
    ]),
  );
  const before = node.supervisor;
  await node.startSupervisor({ HEDDLE_DRAIN_SECONDS: "1" }, [], newer);
  await until(
    () => before?.hasEnded === true,
    () => before?.output,
  );
  expect((await call("ask", node.address("web"), "8080")).error).toBeUndefined();
});
