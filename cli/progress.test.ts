import { expect, test } from "vitest";
import { progressBetween } from "./progress.ts";
import { exampleNode, examplePodReport, exampleStatus } from "./testing/status-examples.ts";

const pod = {
  event: "pod",
  pod: "shop/web-0",
  state: "ready",
  node: "node-1",
  addresses: ["10.244.1.10"],
  captured: true,
};

test("everything that is ready is told once", () => {
  expect(progressBetween(undefined, exampleStatus())).toEqual([
    { event: "control-plane", state: "ready" },
    { event: "node", node: "node-1", state: "ready" },
    pod,
  ]);
  expect(progressBetween(exampleStatus(), exampleStatus())).toEqual([]);
});

test("what is not ready is not told", () => {
  const status = exampleStatus({
    nodes: [exampleNode({ enrolment: false }), exampleNode({ agent: undefined })],
    pods: [examplePodReport({ ready: false })],
  });
  expect(progressBetween(undefined, status)).toEqual([{ event: "control-plane", state: "ready" }]);
});

test("a pod that has done its work is finished", () => {
  const status = exampleStatus({ pods: [examplePodReport({ ready: false, phase: "Succeeded" })] });
  expect(progressBetween(exampleStatus({ pods: [] }), status)).toEqual([{ ...pod, state: "finished" }]);
});
