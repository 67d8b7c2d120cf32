import { afterAll, beforeAll, expect, test } from "vitest";
import { TestMesh } from "./test-mesh.ts";
import { AMBIENT, namespace, sleeper } from "./yaml.ts";

const withSecurity = (name: string, securityContext: object): string =>
  sleeper(name, { container: { securityContext } });

const mesh = new TestMesh({
  "namespace.yaml": namespace("shop", AMBIENT),
  "plain.yaml": sleeper("shop/plain"),
  "raw.yaml": withSecurity("shop/raw", { capabilities: { add: ["NET_RAW"] } }),
  "privileged.yaml": withSecurity("shop/privileged", { privileged: true }),
  "host.yaml": sleeper("shop/host", { spec: { hostNetwork: true } }),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

test("pods that could leave the mesh, or are not in it, are named with the reason and what to do; others are not", async () => {
  const { code, stdout } = await mesh.heddle("status");
  const notices = stdout.split("\n").filter((line) => /^notice +shop\//.test(line));
  expect(notices.toSorted()).toEqual([
    expect.stringMatching(/^notice {3}shop\/host: is outside the mesh, because .*hostNetwork.*STRICT/),
    expect.stringMatching(
      /^notice {3}shop\/privileged: can leave .* it has BPF, NET_ADMIN, NET_RAW, SYS_ADMIN.*\(drop/,
    ),
    expect.stringMatching(
      /^notice {3}shop\/raw: can leave the mesh, because it has NET_RAW: .*\(drop them in securityContext/,
    ),
  ]);
  // It is what was declared, and no fault.
  expect(code).toBe(0);
});

const REFUSED =
  /not permitted|must be superuser|Permission denied|permission denied|wrong fs type|Invalid argument|not mounted/;

/** With the powers that a container has, and with those that it gets in a user namespace of its own. */
const ways: readonly (readonly [way: string, prefix: readonly string[]])[] = [
  ["as it is", []],
  ["with all capabilities in a user namespace", ["unshare", "--user", "--keep-caps", "--mount"]],
];

test("a user namespace of its own gives a pod every capability there", async () => {
  const [, prefix] = ways[1] ?? expect.fail("there is no such way");
  expect(await mesh.exec("shop/plain", ...prefix, "grep", "CapEff", "/proc/self/status")).toMatch(/CapEff:\t0*1f+$/);
});

test.each(ways)("a pod can neither take its rules away nor change its way out, %s", async (_, prefix) => {
  const inPod = (...command: readonly string[]): Promise<string> => mesh.exec("shop/plain", ...prefix, ...command);
  expect(await inPod("nft", "flush", "ruleset")).toMatch(REFUSED);
  expect(await inPod("ip", "rule", "del", "pref", "32764")).toMatch(REFUSED);
  expect(await inPod("ip", "link", "set", "eth0", "down")).toMatch(REFUSED);
  // Such an attempt can succeed: a pod that may do it does it, and only to itself.
  expect(await mesh.exec("shop/privileged", "ip", "rule", "show", "pref", "32764")).toContain("lookup 100");
  expect(await mesh.exec("shop/privileged", "nft", "list", "ruleset")).toContain("redirect to :15001");
});

test.each(ways)("a pod cannot read the keys of the authority, nor uncover them, %s", async (_, prefix) => {
  const inPod = (script: string): Promise<string> => mesh.exec("shop/plain", ...prefix, "sh", "-c", script);
  const hidden = mesh.state.slice(0, mesh.state.lastIndexOf("/"));
  expect(await inPod(`ls ${mesh.state}`)).toContain("Permission denied");
  expect(await inPod(`umount ${hidden}`)).toMatch(REFUSED);
  expect(await inPod(`mount --bind / /mnt && ls /mnt${mesh.state}`)).toMatch(REFUSED);
  expect(await inPod(`mount --rbind / /mnt && ls /mnt${mesh.state}`)).toMatch(REFUSED);
});
