import { assert, boolean, constantFrom, option, property, record } from "fast-check";
import { expect, test } from "vitest";
import { type ActualPod, nextStep, type PodStep, type WantedPod } from "./next-step.ts";

const wanted: WantedPod = { specHash: "1", node: 1, enrol: true };
const running: ActualPod = { specHash: "1", node: 1, enrolled: true, started: true };

const cases: readonly (readonly [string, WantedPod | undefined, ActualPod | undefined, PodStep])[] = [
  ["nothing is wanted and nothing is there", undefined, undefined, "rest"],
  ["a pod is wanted that is not there", wanted, undefined, "set-up"],
  ["it is captured before its containers start", wanted, { ...running, enrolled: false, started: false }, "enrol"],
  ["it is captured, so that its containers may start", wanted, { ...running, started: false }, "start"],
  ["it is as it should be", wanted, running, "rest"],
  ["it shall join the mesh while it runs", wanted, { ...running, enrolled: false }, "enrol"],
  ["it shall leave the mesh while it runs", { ...wanted, enrol: false }, running, "release"],
  ["it is not wanted any more", undefined, running, "tear-down"],
  ["its declaration is another", { ...wanted, specHash: "2" }, running, "tear-down"],
  ["it shall be on another node", { ...wanted, node: 2 }, running, "tear-down"],
];

test.each(cases)("%s", (_, target, actual, step) => {
  expect(nextStep(target, actual)).toBe(step);
});

const hashes = constantFrom("1", "2");
const nodes = constantFrom(1, 2);

test("from wherever a pod is, its steps lead to what is wanted", () => {
  const anyWanted = option(record({ specHash: hashes, node: nodes, enrol: boolean() }), { nil: undefined });
  const anyActual = option(record({ specHash: hashes, node: nodes, enrolled: boolean(), started: boolean() }), {
    nil: undefined,
  });
  assert(
    property(anyWanted, anyActual, (target, start) => {
      let actual: ActualPod | undefined = start;
      for (let steps = 0; nextStep(target, actual) !== "rest"; steps++) {
        expect(steps).toBeLessThan(6);
        actual = after(nextStep(target, actual), target, actual);
      }
      const { enrol, ...rest } = target ?? { enrol: false };
      expect(actual).toEqual(target && { ...rest, enrolled: enrol, started: true });
    }),
  );
});

const after = (step: PodStep, target: WantedPod | undefined, actual: ActualPod | undefined): ActualPod | undefined => {
  if (step === "tear-down") return undefined;
  if (step === "set-up")
    return target && { specHash: target.specHash, node: target.node, enrolled: false, started: false };
  if (step === "start") return actual && { ...actual, started: true };
  return actual && { ...actual, enrolled: step === "enrol" };
};
