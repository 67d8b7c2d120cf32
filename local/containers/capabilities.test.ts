import { expect, test } from "vitest";
import { boundingArguments, containerCapabilities, DEFAULT_CAPABILITIES } from "./capabilities.ts";

const capabilities = (add: readonly string[], drop: readonly string[] = []): readonly string[] | string => {
  const result = containerCapabilities(add, drop);
  return result.ok ? result.value : result.error;
};

test("by default a container cannot leave the mesh, nor reach into the machine", () => {
  const dangerous = ["NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE", "DAC_OVERRIDE", "MKNOD", "BPF", "SETFCAP"];
  expect(dangerous.filter((name) => DEFAULT_CAPABILITIES.includes(name))).toEqual([]);
  expect(capabilities([])).toEqual(DEFAULT_CAPABILITIES);
});

test.each([
  ["what is added is there", capabilities(["NET_RAW"]), true],
  ["with its prefix too", capabilities(["CAP_NET_RAW"]), true],
  ["and in small letters", capabilities(["net_raw"]), true],
  ["ALL is everything", capabilities(["ALL"]), true],
  ["without what is dropped by name", capabilities(["ALL"], ["NET_RAW"]), false],
  ["what is added and dropped is added", capabilities(["NET_RAW"], ["NET_RAW"]), true],
])("%s", (_, result, hasNetRaw) => {
  expect(result.includes("NET_RAW")).toBe(hasNetRaw);
});

test("what is dropped is gone", () => {
  expect(capabilities([], ["CHOWN"])).not.toContain("CHOWN");
  expect(capabilities([], ["ALL"])).toEqual([]);
  expect(capabilities(["NET_BIND_SERVICE"], ["ALL"])).toEqual(["NET_BIND_SERVICE"]);
});

test("a name that is no capability is refused", () => {
  expect(capabilities(["NET_ROW"])).toBe('"NET_ROW" is no capability; write it as in NET_BIND_SERVICE');
});

test("setpriv takes everything and gives back what is allowed", () => {
  expect(boundingArguments(["CHOWN", "KILL"])).toEqual(["--bounding-set=-all,+chown,+kill", "--inh-caps=-all"]);
  expect(boundingArguments([])).toEqual(["--bounding-set=-all", "--inh-caps=-all"]);
});
