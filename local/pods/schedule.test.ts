import { expect, test } from "vitest";
import { examplePod } from "../testing/inventory-examples.ts";
import { chooseNode, NODE_ANNOTATION } from "./schedule.ts";

const annotated = (value: string) => examplePod({ annotations: { [NODE_ANNOTATION]: value } });

test.each([
  ["spec.nodeName", examplePod({ nodeName: "node-2" }), 2],
  ["a number in the annotation", annotated("2"), 2],
  ["a name in the annotation", annotated("node-3"), 3],
  ["spec.nodeName before the annotation", { ...annotated("1"), nodeName: "node-3" }, 3],
])("a pod goes to the node it names: %s", (_, pod, node) => {
  expect(chooseNode(pod, [0, 5, 5], 1)).toEqual({ ok: true, value: node });
});

test("a pod that names no node stays where it was", () => {
  expect(chooseNode(examplePod(), [5, 0], 1)).toEqual({ ok: true, value: 1 });
});

test("a new pod goes to the node with the fewest pods, the first of equals", () => {
  expect(chooseNode(examplePod(), [2, 1, 1], undefined)).toEqual({ ok: true, value: 2 });
});

test("a pod whose node is gone is scheduled anew", () => {
  expect(chooseNode(examplePod(), [1, 0], 3)).toEqual({ ok: true, value: 2 });
});

test.each(["node-3", "0", "two", "-1"])("a node that does not exist is refused by name: %s", (name) => {
  const chosen = chooseNode(annotated(name), [0, 0], undefined);
  expect(chosen.ok ? "" : chosen.error).toBe(
    `metadata.annotations[${NODE_ANNOTATION}]: there is no node "${name}", only node-1, node-2; ` +
      "name one of these, or start the mesh with more --nodes",
  );
});
