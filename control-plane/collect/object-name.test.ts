import { expect, test } from "vitest";
import { objectNameOf } from "./object-name.ts";

test.each([
  ["a pod", { kind: "Pod", metadata: { name: "a", namespace: "shop" } }, "Pod shop/a"],
  ["a pod without a namespace, as kubectl reads it", { kind: "Pod", metadata: { name: "a" } }, "Pod default/a"],
  ["a namespace, whatever it says", { kind: "Namespace", metadata: { name: "a", namespace: "b" } }, "Namespace /a"],
  ["a kind that is not known, and may live in no namespace", { kind: "Gadget", metadata: { name: "g" } }, "Gadget /g"],
  ["a kind that is not known, in one", { kind: "Gadget", metadata: { name: "g", namespace: "b" } }, "Gadget b/g"],
  ["nothing", null, "Object /a.yaml#1"],
])("%s", (_, value, expected) => {
  const { kind, namespace, name } = objectNameOf(value, "a.yaml#1");
  expect(`${kind} ${namespace}/${name}`).toBe(expected);
});
