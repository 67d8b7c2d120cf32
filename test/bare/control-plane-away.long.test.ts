import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

/** Beyond the longest pause between two attempts of the agent's to reach it, several times. */
const AWAY_MS = 75_000;
/** Of the pods that come and go meanwhile. */
const VISITS = 12;

let node: BareNode;

beforeAll(async () => {
  node = await BareNode.make(["client", "web", "leaver", "guest"]);
  for (const netns of ["web", "leaver", "guest"]) {
    const server = node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns });
    await until(
      () => server.output.includes("listening"),
      () => server.output,
    );
  }
});
afterAll(() => node.dispose());

const call = async (from: string | undefined, ...args: readonly string[]) => {
  const command = [process.execPath, join(PROGRAMS, "client.ts"), ...args];
  const output = await node.sandbox.run(command, from === undefined ? {} : { netns: from });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
};

const rules = (netns: string): Promise<string> => node.sandbox.run(["nft", "list", "ruleset"], { netns });

const certificateOf = async (name: string) =>
  (await node.status()).certificates.find(({ identity }) => identity.endsWith(`/sa/${name}`));

test("with the control plane away traffic flows, pods go, and pods that come are refused with the reason until it is back", async () => {
  // Certificates are renewed at half of this: the control plane is away for a third of it.
  await node.startControlPlane();
  await node.startSupervisor({ HEDDLE_LEAF_LIFETIME: "4m" });
  for (const name of ["client", "web", "leaver"]) await node.enrol(name);
  await node.complete();
  await node.served("client", "web", "leaver");
  const seconds = String(AWAY_MS / 1000 + 5);
  const load = call("client", "load", node.address("web"), "8080", seconds, "2", "20");
  const held = call("client", "hold", node.address("web"), "8085", "5", String(AWAY_MS));

  const leftAt = Date.now();
  node.controlPlane?.kill();
  const isConnected = async (): Promise<boolean> => (await node.status()).controlPlane.connected;
  await expect.poll(isConnected, { timeout: 60_000 }).toBe(false);
  const { since, lastError } = (await node.status()).controlPlane;
  expect(Math.abs(Date.parse(since) - leftAt)).toBeLessThan(30_000);
  expect(lastError).not.toBe("");

  // Who goes is gone, and reached as anybody outside the mesh is.
  await node.withdraw("leaver");
  expect(await rules("leaver")).toBe("");
  expect(await certificateOf("leaver")).toBeUndefined();
  expect((await call(undefined, "ask", node.address("leaver"), "8080")).error).toBeUndefined();

  // Who comes is captured and refused.
  for (let visit = 0; visit < VISITS; visit++) {
    await node.enrol("guest");
    if (visit < VISITS - 1) await node.withdraw("guest");
  }
  expect((await call("client", "ask", node.address("guest"), "8080")).error).toBe("ECONNRESET");
  expect((await call("guest", "ask", node.address("web"), "8080")).error).toBe("ECONNRESET");
  await expect
    .poll(() => certificateOf("guest"), { timeout: 60_000 })
    .toMatchObject({
      state: "failing",
      lastError: expect.stringMatching(/UNAVAILABLE|ECONNREFUSED|[Nn]o connection|connect/) as unknown,
    });
  expect((await node.status()).ready).toBe(true);

  await delay(Math.max(0, leftAt + AWAY_MS - Date.now()));
  expect(await held).toEqual({ echoed: 5, survivors: 5 });
  const { ok, ...wrong } = await load;
  expect(wrong).toEqual({ refused: 0, reset: 0, other: 0, direct: 0 });
  expect(ok).toBeGreaterThan(20);

  await node.startControlPlane();
  await expect.poll(isConnected, { timeout: 60_000 }).toBe(true);
  await expect.poll(async () => (await certificateOf("guest"))?.state, { timeout: 60_000 }).toBe("valid");
  await expect
    .poll(async () => (await call("guest", "ask", node.address("web"), "8080")).error, { timeout: 60_000 })
    .toBeUndefined();
  expect((await call("client", "ask", node.address("guest"), "8080")).error).toBeUndefined();
});
