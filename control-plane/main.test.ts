import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { ADDRESS_TYPE } from "#api/type-urls.ts";
import { unwrap } from "#mesh/result.ts";
import { readSettings } from "./settings.ts";
import { AdminClient } from "./testing/admin-client.ts";
import { memoryLog } from "./testing/memory-log.ts";
import { NodeClient, publishedRoots, summarize } from "./testing/node-client.ts";
import { environmentIn, type RunningControlPlane } from "./testing/running-control-plane.ts";
import { temporaryDirectory, writeFiles } from "./testing/temporary-directory.ts";

// Each starts processes, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 });

const MAIN = join(import.meta.dirname, "main.ts");

const service = (name: string) =>
  `apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: ${name}}\nspec: {ports: [{port: 80}]}\n`;

interface Child {
  readonly process: ChildProcess;
  readonly lines: () => readonly { readonly level: string; readonly msg: string; readonly address?: string }[];
  readonly ended: Promise<number | null>;
}

const start = (env: Readonly<Record<string, string>>): Child => {
  const child = spawn(process.execPath, [MAIN], { env, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    process: child,
    lines: () =>
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as { level: string; msg: string; address?: string }),
    ended: new Promise((resolve) => {
      child.on("exit", resolve);
    }),
  };
};

/** Starts one in a directory and waits until it serves. */
const startIn = async (directory: string): Promise<RunningControlPlane & Child> => {
  const env = { ...environmentIn(directory), HEDDLE_LOG_LEVEL: "debug" };
  mkdirSync(join(directory, "assigned"), { recursive: true });
  const child = start(env);
  const target = await vi.waitFor(
    () => {
      const address = child.lines().find(({ msg }) => msg.includes("serves on"))?.address;
      expect(address, JSON.stringify(child.lines())).toBeDefined();
      return address as string;
    },
    { timeout: 10_000, interval: 20 },
  );
  const settings = unwrap(readSettings(env));
  return {
    ...child,
    admin: new AdminClient(settings.adminSocket),
    settings,
    target,
    log: memoryLog(),
    stop: async () => {},
  };
};

const hold = ({ resources }: Awaited<ReturnType<typeof acceptAll>>) =>
  Object.fromEntries(resources.map(({ name, version }) => [name, version]));

const acceptAll = async (controlPlane: RunningControlPlane, initialResourceVersions = {}) => {
  const stream = (await NodeClient.join(controlPlane, "node-1")).openStream();
  stream.send(ADDRESS_TYPE, { initialResourceVersions });
  return stream.accept();
};

test("the process serves what is in the folder, survives a kill with what nodes hold, and ends cleanly", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": service("a"), "objects/b.yaml": service("b") });
  const first = await startIn(directory);
  const before = await acceptAll(first);
  const name = (own: string) => `shop/${own}.shop.svc.cluster.local`;
  expect(summarize([before])).toEqual([{ type: "Address", resources: [name("a"), name("b")], removed: [] }]);
  const token = await first.admin.joinToken("node-1");
  first.process.kill("SIGKILL");
  await first.ended;
  expect(existsSync(first.settings.adminSocket)).toBe(true);

  writeFiles(directory, { "objects/b.yaml": service("c") });
  const second = await startIn(directory);
  expect(summarize([await acceptAll(second, hold(before))])).toEqual([
    { type: "Address", resources: [name("c")], removed: [name("b")] },
  ]);
  const oldToken = new NodeClient(second.target, publishedRoots(second), token).openStream();
  oldToken.send(ADDRESS_TYPE);
  expect((await oldToken.next()).resources.length).toBe(2);

  second.process.kill("SIGTERM");
  expect(await second.ended).toBe(0);
  expect(existsSync(second.settings.adminSocket)).toBe(false);
  expect(second.lines().filter(({ level }) => level === "error")).toEqual([]);
});

test("keys are for their owner alone, the roots for everybody", async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "objects"));
  const { settings } = await startIn(directory);
  const modeOf = (path: string): number => statSync(path).mode & 0o777;
  expect(modeOf(settings.authorityDirectory)).toBe(0o700);
  expect(modeOf(join(settings.authorityDirectory, "join-token.key"))).toBe(0o600);
  expect(modeOf(join(settings.publicDirectory, "roots.pem"))).toBe(0o644);
});

test("settings that are missing are said, all of them, and nothing starts", async () => {
  const child = start({});
  expect(await child.ended).toBe(1);
  expect(child.lines().map(({ msg }) => msg)).toEqual(
    ["HEDDLE_OBJECTS_DIR", "HEDDLE_CA_DIR", "HEDDLE_PUBLIC_DIR", "HEDDLE_LISTEN", "HEDDLE_ADMIN_SOCKET"].map(
      (variable) => `the control plane cannot start: ${variable}: is not set, and has no default`,
    ),
  );
});

test("an authority that is damaged is never replaced by a new one", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": service("a"), "ca/state.json": "{" });
  const child = start(environmentIn(directory));
  expect(await child.ended).toBe(1);
  expect(child.lines().map(({ msg }) => msg)).toEqual([expect.stringContaining("ca/state.json is damaged")]);
});

test("a port that somebody has is said, and the process ends", async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "objects"));
  const { target } = await startIn(directory);
  const other = temporaryDirectory();
  mkdirSync(join(other, "objects"));
  const child = start({ ...environmentIn(other), HEDDLE_LISTEN: target });
  expect(await child.ended).toBe(1);
  expect(child.lines().at(-1)?.msg).toContain(`cannot listen on ${target}`);
});

test("what became of a route at its Service is shown, and a route with mistakes leaves the last good one in force", async () => {
  const directory = temporaryDirectory();
  const route = (backendPort: number, weight: number) =>
    `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {namespace: shop, name: split, generation: 3}
spec:
  parentRefs: [{group: core, kind: Service, name: a}]
  rules: [{backendRefs: [{name: a, port: ${backendPort}, weight: ${weight}}]}]
`;
  writeFiles(directory, {
    "objects/a.yaml": service("a").replace("{ports", "{clusterIP: 10.96.0.1, ports"),
    "objects/route.yaml": route(81, 1),
  });
  const { admin, settings } = await startIn(directory);
  const shown = async () => {
    const { objects } = await admin.dump();
    const object = objects.find(({ kind }) => kind === "HTTPRoute");
    const [parent] = object?.parents ?? [];
    return {
      accepted: object?.accepted,
      parentRef: parent?.parentRef,
      conditions: parent?.conditions.map(({ reason, observedGeneration }) => [reason, observedGeneration]),
      problems: object?.problems.map(({ path }) => path),
    };
  };
  const parentRef = { group: "core", kind: "Service", name: "a" };
  expect(await shown()).toEqual({
    accepted: true,
    parentRef,
    conditions: [
      ["Accepted", 3],
      ["BackendNotFound", 3],
    ],
    problems: [],
  });
  const good = [
    ["Accepted", 3],
    ["ResolvedRefs", 3],
  ];
  const file = join(settings.statusDirectory ?? "", "HTTPRoute/shop/split.yaml");
  await vi.waitFor(() => expect(readFileSync(file, "utf8")).toContain("reason: BackendNotFound"), { timeout: 60_000 });
  writeFiles(directory, { "objects/route.yaml": route(80, 1) });
  await vi.waitFor(async () => expect((await shown()).conditions).toEqual(good), { timeout: 60_000, interval: 100 });
  writeFiles(directory, { "objects/route.yaml": route(80, -1) });
  const refused = {
    accepted: false,
    parentRef,
    conditions: good,
    problems: ["spec.rules[0].backendRefs[0].weight"],
  };
  await vi.waitFor(async () => expect(await shown()).toEqual(refused), { timeout: 60_000, interval: 100 });
  expect(readFileSync(file, "utf8")).not.toContain("BackendNotFound");
}, 180_000);
