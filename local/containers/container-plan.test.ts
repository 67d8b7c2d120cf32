import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { exampleContainer, examplePod } from "../testing/inventory-examples.ts";
import { podCapabilities, podPlan } from "./container-plan.ts";

const planOf = (container: Parameters<typeof exampleContainer>[0], uids = 65_536) =>
  podPlan(examplePod({ containers: [exampleContainer(container)] }), uids);

const problemsOf = (container: Parameters<typeof exampleContainer>[0], uids?: number): readonly string[] => {
  const plan = planOf(container, uids);
  return plan.ok ? [] : plan.error;
};

test("a container runs its command with its arguments, Node.js first in its PATH", () => {
  const [plan] = unwrap(planOf({ command: ["node", "a.js"], args: ["--port", "80"], workingDir: "/srv" })).containers;
  expect(plan).toMatchObject({ command: ["node", "a.js", "--port", "80"], workingDir: "/srv", uid: undefined });
  expect(plan?.environment).toMatchObject({ HOSTNAME: "web-0", HOME: "/" });
  expect(plan?.environment.PATH?.split(":")[0]).toBe("/run/node");
});

test("variables are expanded as in Kubernetes", () => {
  const env = [
    { name: "HOST", value: "db" },
    { name: "URL", value: "tcp://$(HOST):1/$(UNKNOWN)/$$(HOST)" },
  ];
  const [plan] = unwrap(planOf({ command: ["echo", "$(URL)"], args: [], env })).containers;
  expect(plan?.environment.URL).toBe("tcp://db:1/$(UNKNOWN)/$(HOST)");
  expect(plan?.command[1]).toBe("tcp://db:1/$(UNKNOWN)/$(HOST)");
});

test("a container without a command cannot run, because images do not", () => {
  expect(problemsOf({ command: [], args: ["x"] })).toEqual([
    "spec.containers[0].command: is missing; a local mesh runs commands of this machine and no images, so that the " +
      "container app needs a command",
  ]);
});

test("a variable that only a cluster can fill is named", () => {
  expect(problemsOf({ env: [{ name: "NODE_IP", value: undefined }] })).toEqual([
    "spec.containers[0].env: NODE_IP takes its value from somewhere that only a cluster has (valueFrom); give it a value",
  ]);
});

test("a user id that is not mapped is refused, with the way to get it", () => {
  expect(problemsOf({ runAsUser: 1000 })).toEqual([]);
  expect(problemsOf({ runAsUser: 70_000 })).toEqual([
    "spec.containers[0].securityContext.runAsUser: 70000 does not exist here, only 0-65535",
  ]);
  expect(problemsOf({ runAsUser: 1000 }, 1)).toEqual([
    "spec.containers[0].securityContext.runAsUser: 1000 does not exist here, only 0; with the package uidmap there are " +
      "more, or run heddle as root",
  ]);
});

test("every problem of every container is found at once", () => {
  const bad = exampleContainer({ command: [], addCapabilities: ["NOPE"] });
  const plan = podPlan(examplePod({ initContainers: [bad], containers: [bad] }), 1);
  expect((plan.ok ? [] : plan.error).map((problem) => problem.split(":")[0])).toEqual([
    "spec.initContainers[0].command",
    "spec.initContainers[0].securityContext.capabilities",
    "spec.containers[0].command",
    "spec.containers[0].securityContext.capabilities",
  ]);
});

test("a pod without containers cannot run", () => {
  expect(podPlan(examplePod({ containers: [] }), 1).ok).toBe(false);
});

test("a pod can do what any of its containers can", () => {
  const pod = examplePod({
    initContainers: [exampleContainer({ addCapabilities: ["NET_RAW"], dropCapabilities: ["ALL"] })],
    containers: [exampleContainer({ addCapabilities: ["CHOWN"], dropCapabilities: ["ALL"] })],
  });
  expect(podCapabilities(unwrap(podPlan(pod, 1)))).toEqual(["CHOWN", "NET_RAW"]);
});
