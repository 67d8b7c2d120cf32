import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { readSettings } from "./settings.ts";

const NEEDED = { HEDDLE_NODE: "node-1", HEDDLE_RUN_DIR: "/run/heddle", HEDDLE_PROGRAM: "/opt/heddle" };

test("node, folder and program are enough; the rest has defaults", () => {
  expect(readSettings(NEEDED)).toEqual({
    node: "node-1",
    runDir: "/run/heddle",
    program: "/opt/heddle",
    workers: Math.min(availableParallelism(), 4),
    drainMs: 30_000,
    takeOverMs: 30_000,
    firstUid: undefined,
    cacheDir: undefined,
    agentEnvironment: { HEDDLE_NODE: "node-1" },
    workerEnvironment: { HEDDLE_NODE: "node-1" },
  });
});

test("everything that is missing is named at once", () => {
  expect(() => readSettings({ HEDDLE_NODE: "" })).toThrow(
    "settings: HEDDLE_NODE is not set; HEDDLE_RUN_DIR is not set; HEDDLE_PROGRAM is not set",
  );
});

test.each([
  ["HEDDLE_WORKERS", "0", 64],
  ["HEDDLE_WORKERS", "65", 64],
  ["HEDDLE_WORKERS", "-1", 64],
  ["HEDDLE_WORKERS", "2.5", 64],
  ["HEDDLE_WORKERS", "1e1", 64],
  ["HEDDLE_WORKERS", " 2", 64],
  ["HEDDLE_FIRST_UID", "root", 2_147_483_648],
  ["HEDDLE_FIRST_UID", "0", 2_147_483_648],
  ["HEDDLE_FIRST_UID", "99999999999", 2_147_483_648],
])("%s=%s is refused with what it must be", (name, value, max) => {
  expect(() => readSettings({ ...NEEDED, [name]: value })).toThrow(
    `settings: ${name} must be a number from 1 to ${max}, not ${JSON.stringify(value)}`,
  );
});

test("what is set is taken; what is empty counts as not set", () => {
  const settings = readSettings({ ...NEEDED, HEDDLE_WORKERS: "64", HEDDLE_FIRST_UID: "64000", HEDDLE_CACHE_DIR: "/c" });
  expect(settings).toMatchObject({ workers: 64, firstUid: 64_000, cacheDir: "/c" });
  const empty = readSettings({ ...NEEDED, HEDDLE_WORKERS: "", HEDDLE_FIRST_UID: "", HEDDLE_CACHE_DIR: "" });
  expect(empty).toMatchObject({ firstUid: undefined, cacheDir: undefined });
});

test("the children's environment is chosen by name: neither what steers Node.js nor a secret gets there by chance", () => {
  const { agentEnvironment, workerEnvironment } = readSettings({
    ...NEEDED,
    NODE_OPTIONS: "--inspect",
    LD_PRELOAD: "/tmp/x.so",
    PATH: "/bin",
    HEDDLE_UNKNOWN: "x",
    HEDDLE_JOIN_TOKEN_FILE: "/run/token",
    HEDDLE_PING_INTERVAL: "10s",
    HEDDLE_LOG_LEVEL: "warn",
    HEDDLE_ACCESS_LOG: "failures",
    HEDDLE_TRUST_DOMAIN: "",
  });
  expect(agentEnvironment).toEqual({
    HEDDLE_NODE: "node-1",
    HEDDLE_JOIN_TOKEN_FILE: "/run/token",
    HEDDLE_LOG_LEVEL: "warn",
    HEDDLE_ACCESS_LOG: "failures",
    HEDDLE_TRUST_DOMAIN: "",
  });
  expect(workerEnvironment).toEqual({
    HEDDLE_NODE: "node-1",
    HEDDLE_PING_INTERVAL: "10s",
    HEDDLE_LOG_LEVEL: "warn",
    HEDDLE_ACCESS_LOG: "failures",
    HEDDLE_TRUST_DOMAIN: "",
  });
});
