import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { remainingTraces, tracesOf } from "./kernel-traces.ts";
import { TestMesh } from "./test-mesh.ts";
import { canMakeUsers, runAs, throwAwayUser } from "./throw-away-user.ts";
import { AMBIENT, call, greeter, namespace, sleeper } from "./yaml.ts";

const objects = {
  "pods.yaml": namespace("shop", AMBIENT) + greeter("shop/web-0") + sleeper("shop/client"),
};
const asUser = (name: string, uid: number): string =>
  sleeper(name, { container: { securityContext: { runAsUser: uid } } });

const meshOfUser = (hasSubordinateIds: boolean, more: Readonly<Record<string, string>> = {}): TestMesh => {
  const mesh = new TestMesh({ ...objects, ...more }, { user: throwAwayUser(hasSubordinateIds) });
  onTestFinished(() => mesh.dispose());
  return mesh;
};

test.skipIf(!canMakeUsers())("an ordinary user with subordinate ids has a mesh with full isolation", async () => {
  const mesh = meshOfUser(true, { "user.yaml": asUser("shop/user", 1234) });
  await mesh.upAndReady();
  expect(await mesh.status()).toMatchObject({ isolation: { kind: "full" }, findings: [] });
  const address = (await mesh.pod("shop/web-0"))?.addresses[1] ?? "";
  expect(await mesh.exec("shop/client", ...call(address, 8080))).toContain("web-0 greets ");
  expect(await mesh.exec("shop/user", "id", "-u")).toBe("1234");
  expect(await mesh.exec("shop/user", "node", "--version")).toBe(process.version);
  expect(await mesh.exec("shop/client", "ls", mesh.state)).toContain("Permission denied");
});

test.skipIf(!canMakeUsers())(
  "an ordinary user without them has one with reduced isolation, and is told so",
  async () => {
    const mesh = meshOfUser(false);
    const { code, stderr } = await mesh.up();
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining("isolation is reduced: all processes of a node share one user id"),
    ]);
    expect(await mesh.status()).toMatchObject({ isolation: { kind: "reduced" } });
    expect((await mesh.heddle("status")).stdout).toContain("notice   isolation: reduced");
    const address = (await mesh.pod("shop/web-0"))?.addresses[0] ?? "";
    expect(await mesh.exec("shop/client", ...call(address, 8080))).toContain("web-0 greets ");
    mesh.write("user.yaml", asUser("shop/user", 1234));
    await expect
      .poll(async () => (await mesh.heddle("status")).stdout, { timeout: 30_000 })
      .toContain("runAsUser: 1234 does not exist here, only 0; with the package uidmap there are more");
  },
);

test.skipIf(!canMakeUsers()).each([true, false])(
  "nothing of an ordinary user's mesh is left when it is killed, nor what he could not delete (ids set aside: %s)",
  async (hasSubordinateIds) => {
    const mesh = meshOfUser(hasSubordinateIds);
    const cli = mesh.spawn("up", mesh.objects, "--workers", "1", "-o", "json");
    await expect.poll(async () => (await mesh.heddle("status")).code, { timeout: 60_000 }).toBe(0);
    const traces = tracesOf(mesh.name);
    expect(traces.namespaces.size).toBeGreaterThan(10);
    cli.kill("SIGKILL");
    await once(cli, "close");
    await expect.poll(() => remainingTraces(traces), { timeout: 30_000 }).toEqual([]);
    runAs(mesh.user ?? expect.fail("there is no user"), "rm", "-r", mesh.state);
    expect(existsSync(mesh.state)).toBe(false);
  },
);
