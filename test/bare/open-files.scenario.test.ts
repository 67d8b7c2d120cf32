import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";
import { pidOf } from "./process-footprint.ts";
import type { Started } from "./sandbox.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");
/** Of supervisor, agent and worker each. */
const OPEN_FILES = 512;

let node: BareNode;

beforeAll(async () => {
  node = await BareNode.make(["client", "web", "stranger"]);
  await node.startControlPlane();
  await node.startSupervisor({}, ["prlimit", `--nofile=${OPEN_FILES}:${OPEN_FILES}`, "--"]);
  for (const name of ["client", "web"]) await node.enrol(name);
  await node.complete();
  await node.served("client", "web");
  const server = node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns: "web" });
  await says(server, "listening");
});
afterAll(() => node.dispose());

const soon = { timeout: 30_000 };

const says = (started: Started, words: string): Promise<void> =>
  until(
    () => started.output.includes(words),
    () => `${started.output} ${node.supervisor?.output.slice(-3_000)}`,
    60_000,
  );

const start = (netns: string, program: string, ...args: readonly string[]): Started =>
  node.sandbox.start([process.execPath, join(PROGRAMS, program), ...args], { netns });

/** What becomes of one call. */
const call = async (from: string): Promise<unknown> => {
  const client = start(from, "client.ts", "ask", node.address("web"), "8080");
  await says(client, "}");
  return client.lines[0];
};
const SERVED = { text: expect.stringContaining('"peer"') };

test.each([
  ["outside the mesh", "stranger"],
  ["a pod, through tunnels", "client"],
])(
  "more connections from %s than a worker has descriptors: the rest is reset and told why, nothing else is lost",
  async (_, from) => {
    const [worker, calm] = [
      await pidOf(node, "proxy/worker"),
      start("client", "client.ts", "hold", node.address("web"), "8085", "3", "eof"),
    ];
    await says(calm, "held");
    const crowd = start(from, "crowd.ts", "hold", node.address("web"), "8088", "600");
    await says(crowd, "held");
    crowd.endInput();
    await says(crowd, "}");
    const { ok, ...others } = crowd.lines[0] ?? {};
    expect(Object.keys(others)).toEqual(["ECONNRESET"]);
    expect(ok).toBeGreaterThan(10);
    await expect
      .poll(() => node.accessLog().find(({ reason }) => reason === "too-many-open-files"), soon)
      .toMatchObject({ response_flags: "CONNECT", error: expect.stringContaining("LimitNOFILE") });
    calm.endInput();
    await says(calm, "survivors");
    expect(calm.lines[0]).toEqual({ echoed: 3, survivors: 3 });
    // The descriptors are free again.
    expect(await call(from)).toMatchObject(SERVED);
    expect(await pidOf(node, "proxy/worker")).toBe(worker);
  },
);
