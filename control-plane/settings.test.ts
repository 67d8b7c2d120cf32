import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { readSettings } from "./settings.ts";
import { environmentIn } from "./testing/running-control-plane.ts";

const env = environmentIn("/run/heddle");

test("what is not set has a default, where there is one", () => {
  expect(unwrap(readSettings({ ...env, HEDDLE_ASSIGNED_DIR: "", HEDDLE_LISTEN: "10.95.0.1:15012" }))).toEqual({
    trustDomain: "cluster.local",
    cluster: "Kubernetes",
    rootNamespace: "istio-system",
    areReferenceGrantsRequired: false,
    objectsDirectory: "/run/heddle/objects",
    assignedDirectory: undefined,
    authorityDirectory: "/run/heddle/ca",
    publicDirectory: "/run/heddle/public",
    statusDirectory: "/run/heddle/status",
    listen: { address: "10.95.0.1", port: 15012 },
    adminSocket: "/run/heddle/admin.sock",
    leafLifetimeMs: 24 * 3_600_000,
    logLevel: "info",
  });
});

test("everything that is wrong is said at once", () => {
  const settings = readSettings({ HEDDLE_TRUST_DOMAIN: "Upper", HEDDLE_CLUSTER: "a/b" });
  expect(settings).toEqual({
    ok: false,
    error: [
      expect.stringMatching(/^HEDDLE_TRUST_DOMAIN: "Upper" is not a trust domain/),
      expect.stringMatching(/^HEDDLE_CLUSTER: "a\/b" is not a cluster's name/),
      "HEDDLE_OBJECTS_DIR: is not set, and has no default",
      "HEDDLE_CA_DIR: is not set, and has no default",
      "HEDDLE_PUBLIC_DIR: is not set, and has no default",
      "HEDDLE_LISTEN: is not set, and has no default",
      "HEDDLE_ADMIN_SOCKET: is not set, and has no default",
    ] as unknown[],
  });
});

test.each([
  ["HEDDLE_LISTEN", "15012"],
  ["HEDDLE_LISTEN", "localhost:15012"],
  ["HEDDLE_LISTEN", "10.0.0.1:65536"],
  ["HEDDLE_ROOT_NAMESPACE", "a.b"],
  ["HEDDLE_REQUIRE_REFERENCE_GRANTS", "yes"],
  ["HEDDLE_ADMIN_SOCKET", `/${"x".repeat(107)}`],
  ["HEDDLE_OBJECTS_DIR", "a\0b"],
  ["HEDDLE_LEAF_LIFETIME", "24"],
  ["HEDDLE_LEAF_LIFETIME", "1s"],
  ["HEDDLE_LEAF_LIFETIME", "2161h"],
  ["HEDDLE_LOG_LEVEL", "loud"],
])("%s=%s is refused by name", (name, value) => {
  expect(readSettings({ ...env, [name]: value })).toEqual({
    ok: false,
    error: [expect.stringMatching(new RegExp(`^${name}: `))] as unknown[],
  });
});

test.each([
  ["127.0.0.1:0", { address: "127.0.0.1", port: 0 }],
  ["[fd00::1]:15012", { address: "fd00::1", port: 15012 }],
])("HEDDLE_LISTEN=%s is taken", (value, listen) => {
  expect(unwrap(readSettings({ ...env, HEDDLE_LISTEN: value })).listen).toEqual(listen);
});
