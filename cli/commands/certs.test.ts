import { expect, test } from "vitest";
import { exampleNode } from "../testing/status-examples.ts";
import { rotationText, silentNodes, silentText } from "./certs.ts";

test.each([
  [{ kind: "idle" }, "The root is not being changed."],
  [
    { kind: "announcing", waitingFor: ["node-1", "node-2"] },
    "A new root is announced. It signs when these nodes trust it: node-1, node-2\n" +
      "One that is gone is waited for until its certificates have ended; go on without it: heddle certs leave-behind NODE",
  ],
  [{ kind: "announcing", waitingFor: [] }, "A new root is announced, and every node trusts it: it signs next."],
  [
    { kind: "retiring", until: "2026-01-02T00:00:00Z", waitingFor: ["node-1"] },
    "The old root is trusted until 2026-01-02T00:00:00Z. Certificates under it are still held by: node-1",
  ],
  [
    { kind: "retiring", until: "2026-01-02T00:00:00Z", waitingFor: [] },
    "The old root is trusted until 2026-01-02T00:00:00Z.",
  ],
] as const)("a rotation that is %j says who holds it back", (rotation, text) => {
  expect(rotationText(rotation)).toBe(text);
});

test("a node whose agent does not answer is named", () => {
  const nodes = [exampleNode(), exampleNode({ name: "node-2", agent: undefined, agentProblem: "it is not running" })];
  expect(silentNodes(nodes)).toEqual([{ node: "node-2", problem: "it is not running" }]);
  expect(silentText(silentNodes(nodes))).toContain("node-2: its agent does not say what it holds: it is not running");
});
