import { afterAll, beforeAll, expect, test } from "vitest";
import type { CertificateStatus } from "#mesh/admin/agent-status.ts";
import type { AuthorityStatus } from "#mesh/admin/control-plane-status.ts";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { cutOff } from "./cut-off.ts";
import { onNode, serverPod, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT),
  "pods.yaml": sleeper("shop/client", { annotations: onNode(1) }) + serverPod("shop/web", 2),
});

/** A node that is cut off below must not see its certificates end meanwhile. */
const LIFETIME_S = 120;
const SECONDS_UNDER_LOAD = 200;

beforeAll(() => mesh.upAndReady("--leaf-lifetime", `${LIFETIME_S}s`));
afterAll(() => mesh.dispose());

const SLOWLY = { timeout: 120_000, interval: 1_000 };

interface Certs {
  readonly authority: AuthorityStatus;
  readonly certificates: readonly CertificateStatus[];
}

const certs = async (): Promise<Certs> => JSON.parse((await mesh.heddle("certs", "-o", "json")).stdout) as Certs;
const rotation = async () => (await certs()).authority.rotation;
const step = async (...command: readonly string[]): Promise<void> => {
  expect(await mesh.heddle("certs", ...command)).toMatchObject({ code: 0 });
};
const serials = async () => (await certs()).certificates.map(({ serial }) => serial);

test("issuing CA, leaves and root are changed under load, a node that is cut off holds the root back and is named, and no call fails", async () => {
  const address = await mesh.address("shop/web");
  const held = await mesh.hold("shop/client", address, 8085, 3);
  const load = Promise.all([
    mesh.client<Readonly<Record<string, number>>>("shop/client", "load", address, 8080, SECONDS_UNDER_LOAD, 2, 50),
    mesh.client<Readonly<Record<string, number>>>("shop/client", "requests", address, 8087, SECONDS_UNDER_LOAD, 1, 1),
    mesh.client<Readonly<Record<string, number>>>(
      "shop/client",
      "requests",
      address,
      8087,
      SECONDS_UNDER_LOAD,
      1,
      100_000,
    ),
  ]);
  const end = performance.now() + SECONDS_UNDER_LOAD * 1_000;
  const before = await certs();

  await step("rotate-issuing");
  expect((await certs()).authority.issuing.fingerprint).not.toBe(before.authority.issuing.fingerprint);

  await cutOff(mesh, 2, true);
  try {
    await step("rotate-root");
    await expect.poll(rotation, SLOWLY).toEqual({ kind: "announcing", waitingFor: ["node-2"] });
    // Longer than everybody is given to connect.
    await new Promise((resolve) => setTimeout(resolve, 33_000));
    expect(await rotation()).toEqual({ kind: "announcing", waitingFor: ["node-2"] });
    const text = (await mesh.heddle("certs")).stdout;
    expect(text).toContain("It signs when these nodes trust it: node-2");
  } finally {
    await cutOff(mesh, 2, false);
  }
  await expect.poll(async () => (await rotation()).kind, SLOWLY).toBe("retiring");

  // Renewed by themselves, until nobody has one under the old root; then it may go before its time.
  await expect.poll(rotation, SLOWLY).toMatchObject({ kind: "retiring", waitingFor: [] });
  const old = before.authority.roots[0]?.fingerprint ?? "";
  await step("drop-root", old);
  expect((await certs()).authority.roots.map(({ state }) => state)).toEqual(["signing"]);
  expect((await serials()).filter((serial) => before.certificates.some((each) => each.serial === serial))).toEqual([]);
  expect(performance.now()).toBeLessThan(end);

  const counts = await load;
  const failures = counts.map((ended) =>
    Object.entries(ended).filter(([how, count]) => !["ok", "connections"].includes(how) && count !== 0),
  );
  const said = [1, 2].flatMap((number) => mesh.accessLog(number).filter(({ error }) => error !== undefined));
  expect(failures, JSON.stringify(said.slice(-5))).toEqual([[], [], []]);
  for (const { ok } of counts) expect(ok).toBeGreaterThan(20);
  expect(await held.end()).toEqual({ echoed: 3, survivors: 3 });
});
