import { expect, test } from "vitest";
import { connectionDescriptors } from "./connection-descriptors.ts";

test.each([
  [64, 16],
  [512, 256],
  [1_024, 768],
  [4_096, 3_584],
  [20_000, 17_500],
  [1_048_576, 917_504],
])("of a limit of %i open files connections may have %i", (limit, expected) => {
  expect(connectionDescriptors(limit)).toBe(expected);
});
