import { expect, test } from "vitest";
import { ok } from "#mesh/result.ts";
import { ManualClock, settled } from "#mesh/testing/manual-clock.ts";
import type { ContainerExit } from "./container-process.ts";
import type { ContainerPlan } from "./container-plan.ts";
import type { ContainerState } from "./container-runner.ts";
import { PodContainers, podPhase } from "./pod-containers.ts";

const plan = (name: string): ContainerPlan => ({
  name,
  command: ["true"],
  environment: {},
  workingDir: "/",
  uid: undefined,
  capabilities: [],
});

const podWith = (init: readonly string[], main: readonly string[]) => {
  const exits = new Map<string, (exit: ContainerExit) => void>();
  const containers = new PodContainers({
    plan: { initContainers: init.map(plan), containers: main.map(plan) },
    policy: "Never",
    start: ({ name }) => {
      const exited = Promise.withResolvers<ContainerExit>();
      exits.set(name, exited.resolve);
      return { started: Promise.resolve(ok(1)), exited: exited.promise, terminate: () => {}, kill: () => {} };
    },
    clock: new ManualClock(),
    random: () => 0.5,
    onChange: () => {},
  });
  const exit = async (name: string, code: number): Promise<void> => {
    exits.get(name)?.({ code, reason: `exit code ${code}` });
    await settled();
  };
  return { containers, exit, started: (): readonly string[] => [...exits.keys()] };
};

test("init containers run one after the other, and then all others", async () => {
  const { containers, exit, started } = podWith(["first", "second"], ["a", "b"]);
  containers.start();
  await settled();
  expect(started()).toEqual(["first"]);
  await exit("first", 0);
  expect(started()).toEqual(["first", "second"]);
  expect(containers.phase).toBe("Pending");
  await exit("second", 0);
  expect(started()).toEqual(["first", "second", "a", "b"]);
  expect([containers.phase, containers.ready]).toEqual(["Running", true]);
});

test("when an init container fails for good, nothing comes after it", async () => {
  const { containers, exit, started } = podWith(["first"], ["a"]);
  containers.start();
  await settled();
  await exit("first", 1);
  expect(started()).toEqual(["first"]);
  expect([containers.phase, containers.ready]).toEqual(["Failed", false]);
});

test("a container is found by its name, and the first without one", async () => {
  const { containers } = podWith([], ["a", "b"]);
  containers.start();
  await settled();
  expect(containers.find(undefined)?.plan.name).toBe("a");
  expect(containers.find("b")).toMatchObject({ plan: { name: "b" }, pid: 1 });
  expect(containers.find("c")).toBeUndefined();
});

const waiting: ContainerState = { kind: "waiting", reason: "starting" };
const running: ContainerState = { kind: "running", pid: 1, since: "" };
const finished = (code: number): ContainerState => ({ kind: "finished", exit: { code, reason: "" } });

test.each([
  ["Pending", [], [waiting]],
  ["Pending", [running], [waiting]],
  ["Running", [finished(0)], [running, waiting]],
  ["Running", [], [running, finished(1)]],
  ["Succeeded", [], [finished(0), finished(0)]],
  ["Failed", [], [finished(0), finished(1)]],
  ["Failed", [finished(1)], [waiting]],
] as const)("a pod is %s when its containers are %j and %j", (phase, init, main) => {
  expect(podPhase(init, main)).toBe(phase);
});
