import { expect, test } from "vitest";
import { explainFailure } from "./ip-batch.ts";

test("a failure names the line that failed", () => {
  const complaint = "ip -batch -: RTNETLINK answers: File exists; Command failed -:2 (exit code 1)";
  expect(explainFailure(complaint, ["link set lo up", "link add fabric0 type bridge"])).toBe(
    `${complaint} in: ip link add fabric0 type bridge`,
  );
});

test("a failure without a line is left as it is", () => {
  expect(explainFailure("ip: not found", ["link set lo up"])).toBe("ip: not found");
});
