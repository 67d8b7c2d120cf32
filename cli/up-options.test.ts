import { InvalidArgumentError } from "commander";
import { expect, test } from "vitest";
import { LOG_LEVELS as LEVELS_OF_CONTROL_PLANE } from "#control-plane/log.ts";
import { readSettings } from "#control-plane/settings.ts";
import { environmentIn } from "#control-plane/testing/running-control-plane.ts";
import { leafLifetime, LOG_LEVELS, namespace, trustDomain } from "./up-options.ts";

const isTaken = (parse: (text: string) => string, text: string): boolean => {
  try {
    return parse(text) === text;
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError);
    return false;
  }
};

const options = {
  HEDDLE_LEAF_LIFETIME: leafLifetime,
  HEDDLE_ROOT_NAMESPACE: namespace,
  HEDDLE_TRUST_DOMAIN: trustDomain,
} as const;

test.each([
  ["HEDDLE_LEAF_LIFETIME", "5s", true],
  ["HEDDLE_LEAF_LIFETIME", "4s999ms", false],
  ["HEDDLE_LEAF_LIFETIME", "1ms", false],
  ["HEDDLE_LEAF_LIFETIME", "2160h", true],
  ["HEDDLE_LEAF_LIFETIME", "2160h1ms", false],
  ["HEDDLE_LEAF_LIFETIME", "a day", false],
  ["HEDDLE_ROOT_NAMESPACE", "istio-system", true],
  ["HEDDLE_ROOT_NAMESPACE", "A B!", false],
  ["HEDDLE_ROOT_NAMESPACE", "a.b", false],
  ["HEDDLE_TRUST_DOMAIN", "example.org", true],
  ["HEDDLE_TRUST_DOMAIN", "Example Org", false],
] as const)("%s=%s is taken exactly where the control plane takes it: %s", (name, text, expected) => {
  expect(isTaken(options[name], text)).toBe(expected);
  expect(readSettings({ ...environmentIn("/run/heddle"), [name]: text }).ok).toBe(expected);
});

test("the levels of a log are those of the control plane", () => {
  expect(LOG_LEVELS).toEqual(LEVELS_OF_CONTROL_PLANE);
});
