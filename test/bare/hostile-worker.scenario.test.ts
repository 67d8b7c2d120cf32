import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";
import { hostileTree, type HostileTreeOptions } from "./hostile/hostile-tree.ts";

/**
 * What has to become of each attempt: in a worker as it is, and in one whose calls the kernel does not refuse, so that users,
 * capabilities and namespaces have to hold alone. `undefined`: there it may do so, and it does not help.
 */
const ATTEMPTS: readonly (readonly [attempt: RegExp, confined: string, unconfined: string | undefined])[] = [
  [/^ptrace /, "EPERM", "EPERM"],
  [/^read memory of /, "EPERM", "EPERM"],
  [/^open (mem|environ|descriptor|root|namespace) of /, "EPERM", "EACCES"],
  [/^(signal|limit) (supervisor|sibling)/, "EPERM", "EPERM"],
  [/^slow down /, "EPERM", "EPERM"],
  [/^read (authority|agent's folder|enrolment|another's cache)/, "EPERM", "EACCES"],
  [/^read a pod's namespace/, "EPERM", undefined],
  [/^write /, "EPERM", "EACCES"],
  [/^connect to (enrolment|agent|control plane)/, "EPERM", "EACCES"],
  [/^connect to \d/, "EPERM", "ENETUNREACH"],
  [/^make an? (IPv6|netlink) socket/, "EPERM", undefined],
  [/^make a (packet|raw) socket/, "EPERM", "EPERM"],
  [/^make a pair of sockets/, "EPERM", undefined],
  [/^make a user namespace/, "EPERM", undefined],
  [/^make a network namespace/, "EPERM", undefined],
  [/^enter a pod's namespace/, "EPERM", "EPERM"],
  [/^mount|^chroot/, "EPERM", undefined],
  [/^start a program/, "EPERM", undefined],
  [/^signal everybody/, "EPERM", undefined],
  [/^allow cores/, "EPERM", "EPERM"],
  [/^(become dumpable|outlive the supervisor|have signals sent)/, "EPERM", undefined],
  [/^use io_uring/, "EPERM", "ENOSYS"],
  [
    /^(load a program|use the keyring|watch performance|handle page faults|hold a process|make a file in memory)/,
    "EPERM",
    undefined,
  ],
];

/** A node whose workers are not ours any more, with a secret of every kind within reach if it were not kept. */
const hostileNode = async (options: HostileTreeOptions & { readonly firstUid?: string } = {}) => {
  const node = await BareNode.make(["web"]);
  onTestFinished(() => node.dispose());
  await node.startControlPlane();
  const at = (path: string): string => join(node.directory, path);
  const othersCache = at("cache/64000");
  mkdirSync(othersCache, { mode: 0o700 });
  writeFileSync(join(othersCache, "code"), "compiled");
  await node.sandbox.run(["chmod", "700", at("agent")]);
  const tree = hostileTree(
    node.directory,
    {
      attack: "escape",
      secrets: {
        authority: at("ca/state.json"),
        "agent's folder": at("agent/agent.sock"),
        enrolment: at("run/enrol.sock"),
        "another's cache": join(othersCache, "code"),
        "a pod's namespace": "/run/netns/web",
      },
      sockets: {
        enrolment: at("run/enrol.sock"),
        "agent's admin": at("agent/agent.sock"),
        "control plane's admin": at("admin.sock"),
      },
      writable: {
        program: at("hostile-tree/proxy/worker/main.ts"),
        "another's cache": join(othersCache, "more"),
        "the run folder": at("run/more"),
        objects: at("objects/all.json"),
      },
      namespace: "/run/netns/web",
      addresses: [
        ["127.0.0.1", 15020],
        ["10.99.0.1", 15012],
        [node.address("web"), 15008],
      ],
    },
    options,
  );
  await node.startSupervisor({
    HEDDLE_WORKERS: "2",
    HEDDLE_PROGRAM: tree,
    ...(options.firstUid === undefined ? {} : { HEDDLE_FIRST_UID: options.firstUid }),
  });
  return node;
};

/** Two workers that load everything without a compile cache, on a machine that does other things too. */
const SLOW_MS = 90_000;

/** What came of every attempt of both workers. */
const outcomes = async (node: BareNode): Promise<readonly (readonly [attempt: string, outcome: string])[]> => {
  const said = (): string =>
    (node.supervisor?.lines ?? []).map(({ stderr }) => (typeof stderr === "string" ? stderr : "")).join("\n");
  await until(
    () => said().split("attempts are over").length === 3,
    () => node.supervisor?.output,
    SLOW_MS,
  );
  return said()
    .split("\n")
    .flatMap((line) => {
      const [, attempt, outcome] = /^attempt (.*): (\w+)$/.exec(line) ?? [];
      return attempt !== undefined && outcome !== undefined ? [[attempt, outcome] as const] : [];
    });
};

/** Each with the outcome that it must have, or the one that it had where any will do. */
const expected = (found: readonly (readonly [string, string])[], column: 1 | 2) =>
  found.map(([attempt, outcome]) => {
    const row = ATTEMPTS.find(([pattern]) => pattern.test(attempt)) ?? expect.fail(`${attempt} is not in the table`);
    return [attempt, row[column] ?? outcome];
  });

const everyRowWasTried = (found: readonly (readonly [string, string])[]): void => {
  for (const [pattern] of ATTEMPTS)
    expect(
      found.some(([attempt]) => pattern.test(attempt)),
      String(pattern),
    ).toBe(true);
  for (const victim of [/^ptrace supervisor/, /^ptrace sibling/]) {
    expect(found.some(([attempt]) => victim.test(attempt))).toBe(true);
  }
};

const isRoot = process.getuid?.() === 0;

test("code in a worker can do nothing on the machine, whatever it tries", async () => {
  const found = await outcomes(await hostileNode());
  everyRowWasTried(found);
  expect(found).toEqual(expected(found, 1));
});

test("nor can it where all processes of the node share one user", async () => {
  const found = await outcomes(await hostileNode({ firstUid: "" }));
  everyRowWasTried(found);
  expect(found).toEqual(expected(found, 1));
});

test.runIf(isRoot)(
  "even if the kernel refused it no calls, it could reach no other process, file or network",
  async () => {
    const found = await outcomes(await hostileNode({ isUnconfined: true }));
    everyRowWasTried(found);
    expect(found).toEqual(expected(found, 2));
  },
);
