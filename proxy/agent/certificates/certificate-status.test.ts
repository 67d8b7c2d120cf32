import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { exportPrivateKey } from "#certs/x509/key-pair.ts";
import type { Entry } from "./certificate-entry.ts";
import { certificateStatus } from "./certificate-status.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const DAY_MS = 86_400_000;
const authority = testAuthority("cluster.local", NOW);
const credentials = authority.credentials("shop/web");

const entry = (changes: Partial<Entry> = {}): Entry => ({
  owner: { identity: authority.id("shop/web"), worker: 3 },
  credentials,
  renewAt: NOW + DAY_MS / 2,
  failures: 0,
  lastError: undefined,
  isRequested: false,
  cancel: () => undefined,
  ...changes,
});

test("a certificate is shown with what identifies it and the times that matter", () => {
  const leaf = new X509Certificate(credentials.chain[0] ?? "");
  expect(certificateStatus(entry(), NOW)).toEqual({
    identity: "spiffe://cluster.local/ns/shop/sa/web",
    worker: 3,
    state: "valid",
    serial: leaf.serialNumber.toLowerCase(),
    notBefore: "2025-12-31T23:58:00.000Z",
    notAfter: "2026-01-02T00:00:00.000Z",
    renewAt: "2026-01-01T12:00:00.000Z",
    lastError: undefined,
  });
});

test.each([
  ["valid", "one that is good", {}, NOW],
  ["pending", "one that has not come", { credentials: undefined, renewAt: undefined }, NOW],
  ["failing", "one that the CA refuses", { credentials: undefined, lastError: "no" }, NOW],
  ["failing", "one that is good and cannot be renewed", { lastError: "no" }, NOW],
  ["failing", "one that has ended", {}, NOW + DAY_MS],
  ["failing", "one of the future, as when the clock was set back", {}, NOW - DAY_MS],
] as const)("%s is %s", (state, _, changes, now) => {
  expect(certificateStatus(entry(changes), now)).toMatchObject({ state });
});

test("what is out of its time by the clock of the node says so, with both times", () => {
  expect(certificateStatus(entry(), NOW + DAY_MS).lastError).toBe(
    "ended at 2026-01-02T00:00:00.000Z, and here it is 2026-01-02T00:00:00.000Z",
  );
  expect(certificateStatus(entry(), NOW - DAY_MS).lastError).toBe(
    "valid from 2025-12-31T23:58:00.000Z, and here it is 2025-12-31T00:00:00.000Z: compare the clocks",
  );
  expect(certificateStatus(entry({ lastError: "the CA is down" }), NOW + DAY_MS).lastError).toBe("the CA is down");
});

test("the key is in no form among what is shown", () => {
  const shown = JSON.stringify(certificateStatus(entry(), NOW));
  const key = exportPrivateKey(credentials.key);
  for (const encoding of ["base64", "hex"] as const) expect(shown).not.toContain(Buffer.from(key).toString(encoding));
  expect(Object.keys(JSON.parse(shown) as object).sort()).toEqual(
    ["identity", "notAfter", "notBefore", "renewAt", "serial", "state", "worker"].sort(),
  );
});
