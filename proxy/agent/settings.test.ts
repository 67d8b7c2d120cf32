import { expect, test } from "vitest";
import { readSettings } from "./settings.ts";

const NEEDED = {
  HEDDLE_NODE: "node-1",
  HEDDLE_CONTROL_PLANE: "10.0.0.1:15012",
  HEDDLE_JOIN_TOKEN_FILE: "/run/token",
  HEDDLE_ROOTS_FILE: "/run/roots.pem",
  HEDDLE_AGENT_SOCKET: "/run/agent.sock",
};

test("node, control plane and three paths are enough; the rest has defaults", () => {
  expect(readSettings(NEEDED)).toEqual({
    node: "node-1",
    cluster: "Kubernetes",
    trustDomain: "cluster.local",
    isolation: "reduced",
    controlPlane: {
      address: "10.0.0.1:15012",
      name: "heddle-control-plane.heddle-system.svc",
      joinTokenFile: "/run/token",
      rootsFile: "/run/roots.pem",
      instance: "",
    },
    adminSocket: "/run/agent.sock",
    leafLifetimeMs: 86_400_000,
    logLevel: "info",
    accessLog: "all",
    accessLogRate: 2_000,
  });
});

test("everything that is missing or wrong is named at once", () => {
  expect(() => readSettings({ HEDDLE_LOG_LEVEL: "loud", HEDDLE_ACCESS_LOG: "some" })).toThrow(
    "settings: HEDDLE_LOG_LEVEL must be one of trace, debug, info, warn, error, silent; " +
      "HEDDLE_ACCESS_LOG must be one of all, failures, off; HEDDLE_NODE is not set; HEDDLE_CONTROL_PLANE is not set; " +
      "HEDDLE_JOIN_TOKEN_FILE is not set; HEDDLE_ROOTS_FILE is not set; HEDDLE_AGENT_SOCKET is not set",
  );
});

test.each([
  ["HEDDLE_TRUST_DOMAIN", "Not A Domain"],
  ["HEDDLE_LEAF_LIFETIME", "a day"],
  ["HEDDLE_LEAF_LIFETIME", "24"],
  ["HEDDLE_LEAF_LIFETIME", "0s"],
  ["HEDDLE_LEAF_LIFETIME", "999ms"],
  ["HEDDLE_ACCESS_LOG_RATE", "0"],
  ["HEDDLE_ACCESS_LOG_RATE", "many"],
])("%s=%s is refused by its name", (name, value) => {
  expect(() => readSettings({ ...NEEDED, [name]: value })).toThrow(new RegExp(`^settings: ${name}[ :]`));
});

test("what is set is taken; what is empty counts as not set", () => {
  const environment = {
    HEDDLE_CLUSTER: "east",
    HEDDLE_TRUST_DOMAIN: "example.org",
    HEDDLE_LEAF_LIFETIME: "1h30m",
    HEDDLE_ACCESS_LOG: "failures",
    HEDDLE_ACCESS_LOG_RATE: "20",
    HEDDLE_ISOLATION: "full",
  };
  expect(readSettings({ ...NEEDED, ...environment })).toMatchObject({
    cluster: "east",
    trustDomain: "example.org",
    leafLifetimeMs: 5_400_000,
    accessLog: "failures",
    accessLogRate: 20,
    isolation: "full",
  });
  const empty = Object.fromEntries(Object.keys(environment).map((name) => [name, ""]));
  expect(readSettings({ ...NEEDED, ...empty })).toEqual(readSettings(NEEDED));
});
