import { expect, test } from "vitest";
import type { CertificateStatus, PodStatus } from "#mesh/admin/agent-status.ts";
import type { RuntimeStatus } from "#local/status.ts";
import { diagnose, isCrashing } from "./diagnosis.ts";
import {
  exampleAgent,
  exampleLink,
  exampleNode,
  examplePodReport,
  exampleStatus,
  NOW,
  WEB_IDENTITY,
} from "./testing/status-examples.ts";
import { verdict } from "./wait-until-ready.ts";

const FOUR_MINUTES_AGO = new Date(NOW - 250_000).toISOString();

const said = (changes: Partial<RuntimeStatus>): readonly string[] =>
  diagnose(exampleStatus(changes), NOW).map(({ severity, about, text }) => `${severity}: ${about}: ${text}`);

const controlPlane = (changes: Partial<RuntimeStatus["controlPlane"]>): Partial<RuntimeStatus> => ({
  controlPlane: { ...exampleStatus().controlPlane, ...changes },
});

const agent = (changes: Parameters<typeof exampleAgent>[0]): Partial<RuntimeStatus> => ({
  nodes: [exampleNode({ agent: exampleAgent(changes) })],
});

const agentPod = (changes: Partial<PodStatus>): Partial<RuntimeStatus> =>
  agent({ pods: exampleAgent().pods.map((pod) => ({ ...pod, ...changes })) });

const certificate = (changes: Partial<CertificateStatus>): Partial<RuntimeStatus> =>
  agent({ certificates: exampleAgent().certificates.map((leaf) => ({ ...leaf, ...changes })) });

const pod = (changes: Parameters<typeof examplePodReport>[0]): Partial<RuntimeStatus> => ({
  pods: [examplePodReport(changes)],
});

const crashing = (restarts: number) =>
  examplePodReport({
    ready: false,
    containers: [{ name: "app", init: false, restarts, state: { kind: "waiting", reason: "exit code 1" } }],
  });

const refused = {
  kind: "Pod",
  namespace: "shop",
  name: "web-0",
  source: "web.yaml#2",
  accepted: false,
  serving: true,
  problems: [{ path: "spec.containers", message: "is required" }],
  warnings: [],
};

/** How a process ends that does not like its settings. */
const SETTINGS = { exit: "exit code 1", complaint: "settings: no name", alike: 1 };
const runningAgain = { kind: "running", pid: 4, since: "", restarts: 3 } as const;

test("where all is well nothing is said", () => {
  expect(said({})).toEqual([]);
  expect(said(controlPlane({ process: { ...runningAgain, lastEnd: SETTINGS } }))).toEqual([]);
});

test("every hint says which mesh it is about, if that is not the usual one", () => {
  const hints = (name: string): readonly (string | undefined)[] =>
    diagnose(
      exampleStatus({
        name,
        ...controlPlane({ inventory: false }),
        ...agent({ notReady: ["no trust bundle yet"] }),
        pods: [crashing(1)],
      }),
      NOW,
    ).map(({ hint }) => hint);
  expect(hints("default")).toEqual([
    "heddle logs --control-plane",
    "heddle logs --node node-1",
    "heddle logs shop/web-0",
  ]);
  expect(hints("blue")).toEqual([
    "heddle logs --name blue --control-plane",
    "heddle logs --name blue --node node-1",
    "heddle logs --name blue shop/web-0",
  ]);
});

test("who waits for a process that ends again and again for the same reason waits in vain", () => {
  const process = (alike: number) => ({ kind: "waiting", restarts: 9, lastEnd: { exit: "SIGKILL", alike } }) as const;
  const crashes = (alike: number) => [
    isCrashing(exampleStatus(controlPlane({ process: process(alike) }))),
    isCrashing(exampleStatus({ nodes: [exampleNode(), exampleNode({ supervisor: process(alike) })] })),
  ];
  expect([crashes(2), crashes(3)]).toEqual([
    [false, false],
    [true, true],
  ]);
  const status = exampleStatus({
    ...controlPlane({ process: process(3) }),
    pods: [examplePodReport({ ready: false })],
  });
  expect(verdict(status, diagnose(status, NOW))).toBe("unwell");
});

const cases: readonly (readonly [string, Partial<RuntimeStatus>])[] = [
  [
    "problem: control plane: ended (exit code 1) and is started again; that was start 3",
    controlPlane({ process: { kind: "waiting", restarts: 3, lastEnd: { exit: "exit code 1", alike: 1 } } }),
  ],
  [
    "problem: control plane: ended (exit code 1): settings: no name; it is started again; that was start 3",
    controlPlane({ process: { kind: "waiting", restarts: 3, lastEnd: SETTINGS } }),
  ],
  [
    "problem: control plane: ended (exit code 1): settings: no name; it is started again; that was start 3",
    controlPlane({ process: { ...runningAgain, lastEnd: { ...SETTINGS, alike: 2 } }, problem: "it is not running" }),
  ],
  [
    "problem: control plane: does not answer: it does not answer in time; nodes go on with what they have",
    controlPlane({
      process: { ...runningAgain, lastEnd: { exit: "SIGKILL", alike: 1 } },
      problem: "it does not answer in time",
      declared: 0,
    }),
  ],
  ["problem: control plane: does not answer: it is not running", controlPlane({ problem: "it is not running" })],
  ["problem: control plane: has not read the objects yet", controlPlane({ inventory: false })],
  [
    "problem: Pod shop/web-0 (web.yaml#2): is refused, and its last good version stays in force: spec.containers: is required",
    controlPlane({ objects: [refused] }),
  ],
  [
    "problem: Pod shop/web-0 (web.yaml#2): is refused: spec.containers: is required",
    controlPlane({ objects: [{ ...refused, serving: false }] }),
  ],
  [
    "notice: Pod shop/web-0 (web.yaml#2): labels nobody selects",
    controlPlane({ objects: [{ ...refused, accepted: true, warnings: ["labels nobody selects"] }] }),
  ],
  [
    "problem: node-1: its supervisor ended (SIGKILL) and is started again; that was start 1",
    { nodes: [exampleNode({ supervisor: { kind: "waiting", restarts: 1, lastEnd: { exit: "SIGKILL", alike: 1 } } })] },
  ],
  ["notice: objects: nothing is declared: there are no objects in /srv/objects", controlPlane({ declared: 0 })],
  [
    "problem: node-1: its supervisor does not answer: no pod comes or goes",
    { nodes: [exampleNode({ isSilent: true })] },
  ],
  ["problem: node-1: its supervisor takes no pods yet", { nodes: [exampleNode({ enrolment: false })] }],
  [
    "problem: node-1: its agent does not answer: it is not running",
    { nodes: [exampleNode({ agent: undefined, agentProblem: "it is not running" })], pods: [] },
  ],
  ["problem: node-1: no trust bundle yet", agent({ notReady: ["no trust bundle yet"] })],
  [
    "problem: node-1: is not connected to the control plane, for 4m: ECONNREFUSED; it goes on with what it has",
    agent({ controlPlane: { address: "", connected: false, since: FOUR_MINUTES_AGO, lastError: "ECONNREFUSED" } }),
  ],
  [
    "problem: node-1: has configuration v6, and v7 is wanted",
    { nodes: [exampleNode({ link: exampleLink({ held: "v6" }) })] },
  ],
  [
    "problem: node-1: has no configuration yet, and v7 is wanted",
    { nodes: [exampleNode({ link: exampleLink({ held: "" }) })] },
  ],
  [
    "problem: node-1: refuses configuration of type Address: bad uid",
    {
      nodes: [
        exampleNode({
          link: exampleLink({ held: "v6", types: [{ type: "Address", resources: 1, acked: false, nack: "bad uid" }] }),
        }),
      ],
    },
  ],
  [
    "problem: node-1: enforces generation 2 of its configuration, and has received 3",
    agent({ config: { version: "v7", generation: 3, enforced: 2, resources: {} } }),
  ],
  [
    `problem: node-1 worker 0: the certificate of ${WEB_IDENTITY} has expired: timeout`,
    certificate({ notAfter: "2026-01-01T11:59:59Z", lastError: "timeout", state: "failing" }),
  ],
  [
    `problem: node-1 worker 0: gets no new certificate for ${WEB_IDENTITY}: timeout`,
    certificate({ state: "failing", lastError: "timeout" }),
  ],
  [
    `problem: node-1 worker 0: waits for its first certificate for ${WEB_IDENTITY}`,
    certificate({ state: "pending", notAfter: undefined }),
  ],
  [
    "problem: shop/web-0: its capture rules are gone: flushed",
    agentPod({ capture: "lost", captureProblem: "flushed" }),
  ],
  ["problem: shop/web-0: the proxy does not serve it yet", agentPod({ capture: "starting" })],
  [
    "notice: shop/web-0: can leave the mesh, because it has NET_RAW, BPF: past the proxy and its policies",
    agentPod({ riskyCapabilities: ["NET_RAW", "BPF"] }),
  ],
  [
    "notice: shop/web-0: is outside the mesh, because it uses its node's network (hostNetwork)",
    pod({ hostNetwork: true, enrol: false, enrolled: false }),
  ],
  ["problem: shop/web-0: no such node", pod({ objections: ["no such node"] })],
  ["problem: shop/web-0: ip failed", pod({ problem: "ip failed", ready: false })],
  ["problem: shop/web-0: gets its network", pod({ ready: false, step: "set-up", containers: [] })],
  ["problem: shop/web-0: waits for the node's proxy to take it", pod({ ready: false, step: "enrol", containers: [] })],
  ["problem: shop/web-0: is being stopped", pod({ ready: false, step: "tear-down", containers: [] })],
  [
    "problem: shop/web-0: container app: exit code 1; starts again after 2s",
    pod({
      ready: false,
      containers: [
        {
          name: "app",
          init: false,
          restarts: 1,
          state: { kind: "waiting", reason: "exit code 1; starts again after 2s" },
        },
      ],
    }),
  ],
  [
    "problem: shop/web-0: init container app has ended: exit code 1",
    pod({
      ready: false,
      phase: "Failed",
      containers: [
        {
          name: "app",
          init: true,
          restarts: 0,
          state: { kind: "finished", exit: { code: 1, reason: "exit code 1" } },
        },
      ],
    }),
  ],
  ["problem: this machine: nft: no", { problems: ["nft: no"] }],
  [
    "notice: node-1: its proxy before the upgrade (pid 77) still has 1 connection, for 13 s at the most",
    { nodes: [exampleNode({ draining: { pid: 77, connections: 1, endsInMs: 12_100 } })] },
  ],
  [
    "notice: isolation: reduced: all processes of a node share one user id (no uidmap)",
    { isolation: { kind: "reduced", reason: "no uidmap" } },
  ],
];

test.each(cases)("%s", (text, changes) => {
  expect(said(changes)).toEqual([text]);
});

test("a pod that has done its work is no problem", () => {
  const exit = { code: 0, reason: "exit code 0" };
  const containers = [{ name: "app", init: false, restarts: 0, state: { kind: "finished", exit } as const }];
  expect(said(pod({ ready: false, phase: "Succeeded", containers }))).toEqual([]);
});

test("what nobody has to wait for is told from what passes", () => {
  const lasting = (changes: Partial<RuntimeStatus>): readonly (boolean | undefined)[] =>
    diagnose(exampleStatus(changes), NOW).map((finding) => finding.lasting);
  expect(lasting(controlPlane({ objects: [refused] }))).toEqual([true]);
  expect(lasting(pod({ objections: ["no such node"] }))).toEqual([true]);
  expect(lasting({ pods: [crashing(3)] })).toEqual([true]);
  expect(lasting({ pods: [crashing(2)] })).toEqual([undefined]);
  expect(lasting(pod({ ready: false, step: "enrol", containers: [] }))).toEqual([undefined]);
});
