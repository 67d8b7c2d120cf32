import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { AuthorityStatus } from "#mesh/admin/control-plane-status.ts";
import { serverPod, TalkingPods } from "../mesh/talking-pods.ts";
import { AMBIENT, namespace, service, sleeper } from "./yaml.ts";

interface Certs {
  readonly authority: AuthorityStatus;
}

/** A mesh whose state is on a disk of its own. */
const meshOnDisk = (): TalkingPods => {
  const mesh = new TalkingPods({
    "namespaces.yaml": namespace("shop", AMBIENT),
    "pods.yaml": sleeper("shop/client") + serverPod("shop/web", 1, { app: "web" }),
    "service.yaml": service("shop/web", { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] }),
  });
  mkdirSync(mesh.state, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", mesh.state]);
  onTestFinished(async () => {
    await mesh.heddle("down");
    execFileSync("umount", ["--lazy", mesh.state]);
    await mesh.dispose();
  });
  return mesh;
};

const PAGE_BYTES = 4_096;

/** Leaves not a byte, or room for so many small files. */
const fill = (mesh: TalkingPods, room = 0): void => {
  const path = join(mesh.state, "filler");
  for (let size = 2 ** 16; size >= 1; size /= 2) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: "a" });
    } catch {
      // Smaller pieces may still fit.
    }
  }
  truncateSync(path, statSync(path).size - room * PAGE_BYTES);
};
const free = (mesh: TalkingPods): void => rmSync(join(mesh.state, "filler"));

const route = (port: number): string =>
  JSON.stringify({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { namespace: "shop", name: "web" },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: "web" }],
      rules: [{ backendRefs: [{ name: "web", port }] }],
    },
  });
const routeStatus = (mesh: TalkingPods): string => {
  const path = join(mesh.state, "status/HTTPRoute/shop/web.yaml");
  return existsSync(path) ? readFileSync(path, "utf8") : "";
};

const soon = { timeout: 60_000, interval: 500 };
const FULL = expect.stringMatching(/cannot be written: ENOSPC.*free space on its disk/);

const pods = async (mesh: TalkingPods) =>
  Object.fromEntries((await mesh.status()).pods.map(({ name, phase, problem }) => [name, problem ?? phase]));

// Only root may mount.
test.runIf(process.getuid?.() === 0)(
  "a mesh whose disk is full serves on, says what it cannot write, loses nothing, and goes on by itself when there is room",
  async () => {
    const mesh = meshOnDisk();
    await mesh.upAndReady();
    const address = await mesh.address("shop/web");
    const addresses = readFileSync(join(mesh.state, "addresses.json"), "utf8");
    fill(mesh);
    for (let calls = 0; calls < 5; calls++)
      expect(await mesh.ask("shop/client", address)).toMatchObject({ port: 8080 });
    mesh.write("more.yaml", sleeper("shop/late"));
    mesh.write("route.yaml", route(80));
    await expect.poll(() => pods(mesh), soon).toEqual({ client: "Running", web: "Running", late: FULL });
    expect(readFileSync(join(mesh.state, "addresses.json"), "utf8")).toBe(addresses);
    const { findings } = await mesh.status();
    expect(findings).toContainEqual(expect.objectContaining({ severity: "notice", about: "statuses" }));
    expect(routeStatus(mesh)).toBe("");
    free(mesh);
    await expect.poll(() => routeStatus(mesh), soon).toContain("reason: ResolvedRefs");
    await expect.poll(() => pods(mesh), soon).toEqual({ client: "Running", web: "Running", late: "Running" });

    await mesh.heddle("down");
    fill(mesh);
    const { stdout } = await mesh.up();
    expect(stdout).toMatch(/shop\/web: .*cannot be written: ENOSPC/);
    free(mesh);
    await expect.poll(async () => (await mesh.pod("shop/web"))?.problem, soon).toBeUndefined();
    expect(await mesh.address("shop/web")).toBe(address);
    await expect.poll(async () => (await mesh.ask("shop/client", address)).port, soon).toBe(8080);
  },
);

test.runIf(process.getuid?.() === 0)(
  "a rotation that a full disk has no room for is refused, changes nothing, and is done when there is room",
  async () => {
    const mesh = meshOnDisk();
    await mesh.upAndReady();
    const address = await mesh.address("shop/web");
    const authority = async () => (JSON.parse((await mesh.heddle("certs", "-o", "json")).stdout) as Certs).authority;
    const files = (): readonly string[] => readdirSync(join(mesh.state, "ca")).sort();
    const before = { authority: await authority(), files: files() };
    for (const room of [0, 1, 2]) {
      fill(mesh, room);
      for (const step of ["rotate-root", "rotate-issuing"]) {
        const { code, stderr } = await mesh.heddle("certs", step);
        expect(code).not.toBe(0);
        expect(stderr).toMatch(/cannot write .*ENOSPC.*make room on its disk/);
        expect({ authority: await authority(), files: files() }).toEqual(before);
      }
      expect(await mesh.ask("shop/client", address)).toMatchObject({ port: 8080 });
      free(mesh);
    }
    expect(await mesh.heddle("certs", "rotate-issuing")).toMatchObject({ code: 0 });
    expect(await mesh.heddle("certs", "rotate-root")).toMatchObject({ code: 0 });

    // The next step is taken by itself, and does not fit.
    fill(mesh);
    const problems = async () =>
      (await mesh.heddle("logs", "--control-plane")).stdout.match(/cannot take its next step/g);
    await expect.poll(problems, soon).not.toBeNull();
    expect((await authority()).rotation).toEqual({ kind: "announcing", waitingFor: [] });
    await setTimeout(5_000);
    expect(await problems()).toHaveLength(1);
    expect(await mesh.ask("shop/client", address)).toMatchObject({ port: 8080 });
    free(mesh);
    await expect.poll(async () => (await authority()).rotation.kind, soon).toBe("retiring");
    expect(await mesh.ask("shop/client", address)).toMatchObject({ port: 8080 });
  },
);
