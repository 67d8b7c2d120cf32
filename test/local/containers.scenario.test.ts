import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tracesOf, zombiesOf } from "./kernel-traces.ts";
import { TestMesh } from "./test-mesh.ts";
import { namespace, pod, sleeper } from "./yaml.ts";

const container = (name: string, command: readonly string[], rest: object = {}): object => ({
  name,
  image: "node:26-alpine",
  command,
  ...rest,
});

const mesh = new TestMesh({
  "namespace.yaml": namespace("shop"),
  "plain.yaml": sleeper("shop/plain", {
    container: { env: [{ name: "GREETING", value: "hello" }], workingDir: "/usr" },
  }),
  "powers.yaml": sleeper("shop/raw", {
    container: { securityContext: { capabilities: { drop: ["ALL"], add: ["NET_RAW"] } } },
  }),
  "job.yaml": pod("shop/job", ["sh", "-c", "echo done; exit 0"], { spec: { restartPolicy: "Never" } }),
  "init.yaml": pod("shop/init", ["sh", "-c", "echo main; exec sleep infinity"], {
    spec: {
      initContainers: [
        container("one", ["sh", "-c", "sleep 0.2; echo one"]),
        container("two", ["sh", "-c", "echo two"]),
      ],
    },
  }),
  "two.yaml": sleeper("shop/two", {
    spec: {
      containers: [container("a", ["sleep", "infinity"]), container("b", ["sh", "-c", "exec sleep infinity"])],
    },
  }),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const sh = (script: string, name = "shop/plain"): Promise<string> => mesh.exec(name, "sh", "-c", script);

const soon = { timeout: 30_000 };

test("a container sees its own processes only, and has its pod's name", async () => {
  expect(await sh("cat /proc/1/cmdline | tr '\\0' ' '")).toMatch(/init\.sh .*sleep infinity/);
  expect((await sh("ls -d /proc/[0-9]*")).split("\n").length).toBeLessThan(6);
  expect(await sh("hostname")).toBe("plain");
});

test("a container has its environment, its folder, and Node.js", async () => {
  expect(await sh("echo $GREETING $HOSTNAME $(pwd)")).toBe("hello plain /usr");
  expect(await sh("node --version")).toBe(process.version);
  expect(await sh("tr '\\0' '\\n' < /proc/1/environ | grep -c ^POD_ || :")).toBe("0");
});

test("what is in the environment of a container does not show in lists of processes", () => {
  const { pids } = tracesOf(mesh.name);
  const shown = pids
    .map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8"))
    .filter((line) => line.includes("hello"));
  expect(shown).toEqual([]);
});

test("a container does not see the keys of the mesh, nor its sockets, nor the disks", async () => {
  expect(await sh(`ls ${mesh.state}`)).toContain("Permission denied");
  expect(await sh("ls /run")).toBe(["init.sh", "lock", "mount", "node", "resolv.conf"].join("\n"));
  expect((await sh("ls /dev")).split("\n").sort()).toEqual(
    [
      "fd",
      "full",
      "null",
      "ptmx",
      "pts",
      "random",
      "shm",
      "stderr",
      "stdin",
      "stdout",
      "tty",
      "urandom",
      "zero",
    ].sort(),
  );
});

test("a container cannot change the program that watches it, nor the kernel's settings", async () => {
  const program = join(import.meta.dirname, "../../local/main.ts");
  expect(await sh(`echo >> ${program}`)).toContain("Read-only file system");
  expect(await sh("echo 1 > /proc/sys/net/ipv4/ip_forward")).toContain("Read-only file system");
});

test("a container cannot undo what hides things from it", async () => {
  expect(await sh("umount /var/lib/heddle || umount /run || umount /proc")).toMatch(/must be superuser|not permitted/);
  expect(await sh("mount -t tmpfs x /mnt")).toMatch(/must be superuser|not permitted|permission denied/i);
  expect(await sh("nft flush ruleset")).toContain("Operation not permitted");
  expect(await sh("ip link set eth0 down")).toContain("Operation not permitted");
});

const boundingSet = async (name: string): Promise<bigint> =>
  BigInt(`0x${await sh("sed -n 's/^CapBnd:\\s*//p' /proc/self/status", name)}`);

test("a container has few capabilities, those it adds, and not those it drops", async () => {
  const NET_RAW = 1n << 13n;
  expect((await boundingSet("shop/plain")) & NET_RAW).toBe(0n);
  expect(await boundingSet("shop/raw")).toBe(NET_RAW);
});

test("what runs in a pod by `heddle exec` can do what the container can", async () => {
  expect(await sh("grep CapEff /proc/self/status; grep CapBnd /proc/self/status")).toBe(
    await sh("grep CapEff /proc/1/status; grep CapBnd /proc/1/status"),
  );
});

test("init containers run one after the other, before all others", () => {
  expect(readFileSync(join(mesh.state, "logs/shop.init.log"), "utf8")).toBe("one\ntwo\nmain\n");
});

test("a container that has done its work stays away, if its pod wants that", async () => {
  expect(await mesh.pod("shop/job")).toMatchObject({ phase: "Succeeded", ready: false });
  expect((await mesh.heddle("logs", "shop/job")).stdout).toBe("done\n");
});

test("each container of a pod is reached by its name, and they share the pod's network", async () => {
  const { stdout } = await mesh.heddle("exec", "shop/two", "-c", "b", "--", "cat", "/proc/1/cmdline");
  expect(stdout.replaceAll("\0", " ")).toContain("exec sleep infinity");
  const network = async (name: string): Promise<string> =>
    (await mesh.heddle("exec", "shop/two", "-c", name, "--", "readlink", "/proc/self/ns/net")).stdout;
  expect(await network("a")).toBe(await network("b"));
  const { code, stderr } = await mesh.heddle("exec", "shop/two", "-c", "c", "--", "true");
  expect([code, stderr]).toEqual([125, expect.stringContaining("has no container c, only a, b")]);
});

test("what processes leave behind is collected", async () => {
  await sh("(sleep 0.1 &) ; (sleep 0.1 &) ; true");
  await delay(300);
  expect(zombiesOf(tracesOf(mesh.name))).toEqual([]);
});

test("a pod that cannot run says why, and keeps no other from running", async () => {
  mesh.write(
    "bad.yaml",
    pod("shop/bad", []) + pod("shop/crash", ["sh", "-c", "echo oh no; exit 3"]) + sleeper("shop/good"),
  );
  await expect.poll(async () => (await mesh.pod("shop/good"))?.ready, soon).toBe(true);
  const status = async (): Promise<string> => (await mesh.heddle("status")).stdout;
  await expect
    .poll(status, { timeout: 10_000 })
    .toMatch(/problem {2}shop\/crash: container app: exit code 3; starts again after \ds {2}\(heddle logs/);
  expect(await status()).toContain("problem  shop/bad: spec.containers[0].command: is missing");
  expect((await mesh.heddle("status")).code).toBe(3);
  expect((await mesh.heddle("logs", "shop/crash", "--tail", "1")).stdout).toBe("oh no\n");
  mesh.remove("bad.yaml");
  await expect.poll(async () => (await mesh.heddle("status")).code, soon).toBe(0);
});

test("a program that does not exist, and a folder that does not exist, are named", async () => {
  mesh.write(
    "bad.yaml",
    pod("shop/typo", ["slepe"]) + sleeper("shop/nowhere", { container: { workingDir: "/no/such/folder" } }),
  );
  const said = async (): Promise<string> => (await mesh.heddle("status")).stdout;
  // Each is started again and again, and says so while it waits for that.
  await expect.poll(said, soon).toContain("shop/typo: container app: exit code 127 (command not found)");
  await expect.poll(said, soon).toMatch(/shop\/nowhere: container app: .*\/no\/such\/folder/);
  mesh.remove("bad.yaml");
  await expect.poll(async () => (await mesh.heddle("status")).code, soon).toBe(0);
});
