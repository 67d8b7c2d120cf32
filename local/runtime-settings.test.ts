import { expect, test } from "vitest";
import { parseRuntimeSettings, runtimeEnvironment, type RuntimeSettings } from "./runtime-settings.ts";

const settings: RuntimeSettings = {
  name: "blue",
  instance: "i1",
  nodes: 3,
  workers: 2,
  trustDomain: "example.org",
  rootNamespace: "istio-system",
  leafLifetime: "1h",
  logLevel: "info",
  objects: "/srv/objects",
  stateRoot: "/var/lib/heddle",
  program: "/srv/heddle",
  asRoot: false,
  reducedIsolation: "no uidmap",
  controlPlane: "control-plane/main.ts",
  supervisor: "proxy/supervisor/main.ts",
};

test("a runtime reads the settings that it was started with", () => {
  expect(parseRuntimeSettings(runtimeEnvironment(settings))).toEqual({ ok: true, value: settings });
  const least = { ...settings, leafLifetime: undefined, reducedIsolation: undefined, asRoot: true };
  expect(parseRuntimeSettings(runtimeEnvironment(least))).toEqual({ ok: true, value: least });
});

test("everything that is wrong is said at once", () => {
  const environment = { ...runtimeEnvironment(settings), HEDDLE_NAME: "Blue!", HEDDLE_NODES: "99", HEDDLE_PROGRAM: "" };
  expect(parseRuntimeSettings(environment)).toEqual({
    ok: false,
    error: [
      'HEDDLE_NAME: "Blue!" cannot name a mesh: use lower-case letters, digits and dashes, up to 40',
      "HEDDLE_NODES must be from 1 to 50",
      "HEDDLE_PROGRAM is not set",
    ],
  });
});
