import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { type LoadCounts, onNode, type RequestCounts, serverPod, strict, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + strict("shop"),
  "pods.yaml": [
    sleeper("shop/client", { annotations: onNode(1) }),
    serverPod("shop/web", 2, { app: "web" }),
    serverPod("shop/near", 1, { app: "web" }),
  ].join(""),
});

beforeAll(() => mesh.upAndReady("--workers", "2"));
afterAll(() => mesh.dispose());

const UPGRADES = 20;
/** More than a slow machine needs to notice that the old proxy drains. */
const LONG_DRAIN_SECONDS = 300;
const SHORT_DRAIN_SECONDS = 2;

const upgrade = async (number: number, drainSeconds: number): Promise<void> => {
  const node = `node-${(number % 2) + 1}`;
  const { code, stdout, stderr } = await mesh.heddle(
    "upgrade",
    "--node",
    node,
    "--drain-seconds",
    String(drainSeconds),
  );
  expect(`${stdout}${stderr}${code}`, `upgrade ${number}`).toMatch(/done\n0$/);
};

/** What ends by itself before the deadline is not touched. */
const upgradeKeeping = async (number: number): Promise<void> => {
  const held = await mesh.hold("shop/client", await mesh.address("shop/web"), 8085, 3);
  const upgraded = upgrade(number, LONG_DRAIN_SECONDS);
  const isDraining = async () => (await mesh.status()).nodes[number % 2]?.draining !== undefined;
  await expect.poll(isDraining, { timeout: 60_000 }).toBe(true);
  expect(await held.end(), `upgrade ${number}`).toEqual({ echoed: 3, survivors: 3 });
  await upgraded;
};

/** What does not gets an end. */
const upgradeCutting = async (number: number): Promise<void> => {
  const late = await mesh.outlast("shop/client", await mesh.address("shop/web"));
  await upgrade(number, SHORT_DRAIN_SECONDS);
  expect(await late.ended, `upgrade ${number}`).toBe("end");
};

/** Descriptors that the supervisors hold, all together. */
const descriptors = (): number =>
  mesh
    .pids("proxy/supervisor/main.ts")
    .map((pid) => readdirSync(`/proc/${pid}/fd`).length)
    .reduce((sum, count) => sum + count, 0);

test("20 upgrades under load refuse nobody, fail no short request, cut nothing that ends in time, and leave nothing behind", async () => {
  const addresses = [await mesh.address("shop/web"), await mesh.address("shop/near")];
  const before = descriptors();
  const endLoads = addresses.map((address) =>
    mesh.clientUntilEnd<LoadCounts>("shop/client", "load", address, 8080, "eof", 3),
  );
  const endRequests = addresses.map((address) =>
    mesh.clientUntilEnd<RequestCounts>("shop/client", "requests", address, 8087, "eof", 2, 40),
  );
  for (let number = 0; number < UPGRADES; number++) {
    await (number % 5 === 4 ? upgradeCutting(number) : upgradeKeeping(number));
  }
  for (const end of endLoads) {
    // Among so many calls the port of the proxy is the caller's now and then; what is in clear would be reset.
    const { ok, direct: _, ...wrong } = await end();
    expect(wrong).toEqual({ refused: 0, reset: 0, other: 0 });
    expect(ok).toBeGreaterThan(UPGRADES * 10);
  }
  for (const end of endRequests) {
    const { ok, connections, ...failed } = await end();
    expect(failed).toEqual({});
    expect(ok).toBeGreaterThan(connections);
  }
  expect(mesh.pids("proxy/supervisor/main.ts")).toHaveLength(2);
  expect(mesh.pids("proxy/agent/main.ts")).toHaveLength(2);
  expect(mesh.pids("proxy/worker/main.ts")).toHaveLength(4);
  // What supervisors hold for one another's sake is gone: a handful comes and goes by itself.
  expect(descriptors()).toBeLessThan(before + 10);
  expect(await mesh.findings()).toEqual([]);
});
