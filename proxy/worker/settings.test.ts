import { expect, test } from "vitest";
import { TUNNEL_LIMITS } from "../tunnel/tunnel-limits.ts";
import { readSettings } from "./settings.ts";

const REQUIRED = { HEDDLE_WORKER: "0" };

test("a worker that is told nothing but its number runs with the defaults", () => {
  expect(readSettings(REQUIRED)).toEqual({
    node: "",
    cluster: "Kubernetes",
    index: 0,
    trustDomain: "cluster.local",
    accessLog: "all",
    accessLogRate: 2_000,
    accept: { startWaitMs: 5_000, maxConnectionsPerPod: 20_000 },
    decrypt: { maxHandshakesPerPod: 512, maxTunnelConnectionsPerPod: 5_000 },
    exchange: { idleTimeoutMs: 3_600_000 },
    upstream: { connectTimeoutMs: 10_000, tunnelIdleMs: 300_000, tunnel: TUNNEL_LIMITS },
  });
});

test("what is said is taken over", () => {
  const settings = readSettings({
    HEDDLE_WORKER: "3",
    HEDDLE_NODE: "node-1",
    HEDDLE_CLUSTER: "east",
    HEDDLE_TRUST_DOMAIN: "example.org",
    HEDDLE_START_WAIT: "0s",
    HEDDLE_IDLE_TIMEOUT: "2s",
    HEDDLE_CONNECT_TIMEOUT: "3s",
    HEDDLE_TUNNEL_IDLE_TIMEOUT: "4s",
    HEDDLE_PING_INTERVAL: "5s",
    HEDDLE_PING_TIMEOUT: "6s",
    HEDDLE_ACCESS_LOG: "failures",
    HEDDLE_ACCESS_LOG_RATE: "20",
  });
  expect(settings).toMatchObject({
    node: "node-1",
    cluster: "east",
    index: 3,
    trustDomain: "example.org",
    accessLog: "failures",
    accessLogRate: 20,
    accept: { startWaitMs: 0 },
    exchange: { idleTimeoutMs: 2_000 },
    upstream: {
      connectTimeoutMs: 3_000,
      tunnelIdleMs: 4_000,
      tunnel: { ...TUNNEL_LIMITS, pingIntervalMs: 5_000, pingTimeoutMs: 6_000 },
    },
  });
});

test.each([
  ["debug", "all", "all"],
  ["warn", "all", "failures"],
  ["warn", "off", "off"],
  ["silent", "failures", "off"],
] as const)("of a node whose log is at %s, and which is to tell of %s, workers tell of %s", (level, mode, told) => {
  const { accessLog } = readSettings({ ...REQUIRED, HEDDLE_LOG_LEVEL: level, HEDDLE_ACCESS_LOG: mode });
  expect(accessLog).toBe(told);
});

test("an empty variable is one that is not set", () => {
  expect(readSettings({ ...REQUIRED, HEDDLE_IDLE_TIMEOUT: "", HEDDLE_CLUSTER: "" })).toEqual(readSettings(REQUIRED));
});

test.each([
  ["HEDDLE_WORKER", ""],
  ["HEDDLE_WORKER", "one"],
  ["HEDDLE_WORKER", "-1"],
  ["HEDDLE_WORKER", "1.5"],
  ["HEDDLE_TRUST_DOMAIN", "Cluster Local"],
  ["HEDDLE_START_WAIT", "soon"],
  ["HEDDLE_ACCESS_LOG", "some"],
  ["HEDDLE_ACCESS_LOG_RATE", "0"],
  ["HEDDLE_IDLE_TIMEOUT", "5"],
  ["HEDDLE_IDLE_TIMEOUT", "0s"],
  ["HEDDLE_CONNECT_TIMEOUT", "0ms"],
  ["HEDDLE_TUNNEL_IDLE_TIMEOUT", "0s"],
  ["HEDDLE_PING_INTERVAL", "0s"],
  ["HEDDLE_PING_TIMEOUT", "-1s"],
])("%s=%j is refused by name", (name, value) => {
  expect(() => readSettings({ ...REQUIRED, [name]: value })).toThrow(new RegExp(`^settings: .*${name}`));
});

test("everything that is wrong is told at once", () => {
  const wrong = { HEDDLE_IDLE_TIMEOUT: "x", HEDDLE_PING_INTERVAL: "0s" };
  expect(() => readSettings(wrong)).toThrow(/HEDDLE_WORKER.*HEDDLE_IDLE_TIMEOUT.*HEDDLE_PING_INTERVAL/);
});
