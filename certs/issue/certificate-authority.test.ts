import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { unwrap } from "#mesh/result.ts";
import { parseSpiffeId, parseTrustDomain } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

import { type TurnedClock, turnedClock } from "../testing/turned-clock.ts";
import { verifySvid } from "../verify/verify-svid.ts";
import { fingerprintOf, parseCertificate } from "../x509/certificate.ts";
import { generateKeyPair } from "../x509/key-pair.ts";
import { authorityStatus, authorityWarnings } from "./authority-status.ts";
import { CertificateAuthority, type LeafOrder } from "./certificate-authority.ts";
import { DEFAULT_PACE, type NodeTrust } from "./rotation.ts";

const { settleMs: SETTLE_MS, minRetirementMs: MIN_RETIREMENT_MS } = DEFAULT_PACE;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const START = Date.parse("2026-03-01T00:00:00Z");

const trustDomain = unwrap(parseTrustDomain("cluster.local"));
const id = unwrap(parseSpiffeId("spiffe://cluster.local/ns/shop/sa/web"));

let directory = "";
let clock: TurnedClock;
let bundles: TrustBundle[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "heddle-ca-"));
  clock = turnedClock(START);
  bundles = [];
});

afterEach(() => rmSync(directory, { recursive: true }));

const open = (leafLifetimeMs = DAY_MS): CertificateAuthority =>
  unwrap(
    CertificateAuthority.open({
      directory,
      trustDomain,
      leafLifetimeMs,
      clock,
      random: randomBytes,
      onBundle: (bundle) => bundles.push(bundle),
    }),
  );

const order = (changes: Partial<LeafOrder> = {}): LeafOrder => ({
  id,
  publicKey: generateKeyPair().publicKey,
  node: "node-1",
  ...changes,
});

const issue = (authority: CertificateAuthority, changes: Partial<LeafOrder> = {}) =>
  unwrap(authority.issue(order(changes)));

const lifetimeOf = ([leaf = new Uint8Array()]: readonly Uint8Array[]) =>
  unwrap(parseCertificate(leaf)).notAfter - clock.now();

/** A connected node that acknowledged a bundle. */
const holding = (node: string, { roots }: TrustBundle): NodeTrust => ({
  node,
  roots: new Set(roots.map(fingerprintOf)),
  disconnectedSince: undefined,
});

/** Announces a new root and lets every node acknowledge it. @returns the old bundle */
const rotate = (authority: CertificateAuthority): TrustBundle => {
  const before = authority.bundle;
  unwrap(authority.rotateRoot());
  clock.turn(SETTLE_MS);
  expect(unwrap(authority.advance([holding("node-1", authority.bundle)]))).toMatchObject([{ kind: "root-signing" }]);
  return before;
};

test("a trust domain begins with one root and stays the same after a restart", () => {
  const first = open();
  const chain = issue(first);
  expect(first.bundle.roots).toHaveLength(1);
  const second = open();
  expect(second.bundle).toEqual(first.bundle);
  expect(verifySvid(chain, second.bundle, clock.now())).toMatchObject({ ok: true, value: { id } });
  expect(verifySvid(issue(second), first.bundle, clock.now()).ok).toBe(true);
});

test.each([
  [undefined, DAY_MS],
  [0, DAY_MS],
  [HOUR_MS, HOUR_MS],
  [30 * DAY_MS, DAY_MS],
])("who asks for a lifetime of %j ms gets %j ms, never more than configured", (lifetimeMs, expected) => {
  expect(lifetimeOf(issue(open(), lifetimeMs === undefined ? {} : { lifetimeMs }))).toBe(expected);
});

test("an identity of another trust domain is not signed", () => {
  const foreign = unwrap(parseSpiffeId("spiffe://other.example/ns/shop/sa/web"));
  expect(open().issue(order({ id: foreign }))).toEqual({
    ok: false,
    error: "spiffe://other.example/ns/shop/sa/web is not of trust domain cluster.local",
  });
});

test("the issuing CA is replaced at its half-life, under the same root, and old leaves stay good", () => {
  const authority = open();
  clock.turn(182 * DAY_MS);
  expect(unwrap(authority.advance([]))).toEqual([]);
  const before = issue(authority);
  clock.turn(HOUR_MS * 12);
  expect(unwrap(authority.advance([]))).toMatchObject([{ kind: "issuing-replaced" }]);
  const after = issue(authority);
  expect(after[1]).not.toEqual(before[1]);
  expect(bundles).toEqual([]);
  for (const chain of [before, after]) expect(verifySvid(chain, authority.bundle, clock.now()).ok).toBe(true);
  expect(unwrap(authority.advance([]))).toEqual([]);
  expect(issue(open())[1]).toEqual(after[1]);
});

test("left alone for ten years, the authority signs full leaves until its root comes to its end", () => {
  const authority = open();
  for (let day = 30; day < 3640; day += 30) {
    clock.turn(30 * DAY_MS);
    unwrap(authority.advance([]));
    expect(lifetimeOf(issue(authority))).toBe(DAY_MS);
  }
  clock.turn(20 * DAY_MS);
  expect(authority.advance([])).toMatchObject({ ok: false, error: expect.stringContaining("expired at 2036") });
  expect(authority.issue(order())).toMatchObject({ ok: false, error: expect.stringContaining("expired at 2036") });
});

test("a rotation of the root never leaves a node with a certificate that another cannot verify", () => {
  const authority = open();
  const old = issue(authority, { holder: "node-1/0" });
  const oldBundle = authority.bundle;
  unwrap(authority.rotateRoot());
  expect(bundles).toEqual([authority.bundle]);
  expect(authority.bundle.roots).toHaveLength(2);

  clock.turn(60_000);
  const late = [holding("node-1", authority.bundle), holding("node-2", oldBundle)];
  expect(unwrap(authority.advance(late))).toEqual([]);
  expect(verifySvid(issue(authority), oldBundle, clock.now()).ok).toBe(true);

  const all = [holding("node-1", authority.bundle), holding("node-2", authority.bundle)];
  expect(unwrap(authority.advance(all))).toMatchObject([{ kind: "root-signing" }]);
  const renewed = issue(authority, { holder: "node-1/0" });
  expect(verifySvid(renewed, oldBundle, clock.now()).ok).toBe(false);
  for (const chain of [old, renewed]) expect(verifySvid(chain, authority.bundle, clock.now()).ok).toBe(true);

  clock.turn(DAY_MS + HOUR_MS);
  expect(unwrap(authority.advance(all))).toMatchObject([{ kind: "root-dropped" }]);
  expect(authority.bundle.roots).toHaveLength(1);
  expect(authority.bundle.roots).not.toEqual(oldBundle.roots);
  expect(bundles).toHaveLength(2);
});

test("the old root is dropped early when every holder has renewed", () => {
  const authority = open();
  issue(authority, { holder: "node-1/0" });
  issue(authority, { holder: "node-1/1" });
  rotate(authority);
  clock.turn(MIN_RETIREMENT_MS);
  issue(authority, { holder: "node-1/0" });
  expect(unwrap(authority.advance([]))).toEqual([]);
  issue(authority, { holder: "node-1/1" });
  expect(unwrap(authority.advance([]))).toMatchObject([{ kind: "root-dropped" }]);
});

test("a leaf whose holder is not known keeps the old root to its end", () => {
  const authority = open();
  issue(authority);
  rotate(authority);
  issue(authority);
  clock.turn(MIN_RETIREMENT_MS);
  expect(unwrap(authority.advance([]))).toEqual([]);
});

test("a rotation goes on after a restart, and waits again for nodes to connect", () => {
  unwrap(open().rotateRoot());
  clock.turn(DAY_MS);
  const restarted = open();
  expect(unwrap(restarted.advance([]))).toEqual([]);
  clock.turn(SETTLE_MS);
  expect(unwrap(restarted.advance([]))).toMatchObject([{ kind: "root-signing" }]);
});

test("after a restart the leaves of before are not forgotten, even when leaves are to be shorter now", () => {
  const before = open();
  const chain = issue(before, { holder: "node-1/0" });
  const restarted = open(HOUR_MS);
  rotate(restarted);
  issue(restarted, { holder: "node-1/0" });
  clock.turn(2 * HOUR_MS);
  expect(unwrap(restarted.advance([]))).toEqual([]);
  const again = open(HOUR_MS);
  clock.turn(DAY_MS - 3 * HOUR_MS);
  expect(unwrap(again.advance([]))).toEqual([]);
  expect(verifySvid(chain, again.bundle, clock.now()).ok).toBe(true);
  clock.turn(HOUR_MS);
  expect(unwrap(again.advance([]))).toMatchObject([{ kind: "root-dropped" }]);
});

test("the issuing CA can be replaced while a new root is announced", () => {
  const authority = open();
  unwrap(authority.rotateRoot());
  unwrap(authority.rotateIssuing());
  expect(verifySvid(issue(authority), authority.bundle, clock.now()).ok).toBe(true);
  clock.turn(SETTLE_MS);
  expect(unwrap(authority.advance([]))).toMatchObject([{ kind: "root-signing" }]);
  expect(verifySvid(issue(authority), authority.bundle, clock.now()).ok).toBe(true);
});

test("while the root's key is kept elsewhere the issuing CA signs on, and only an operator's wish for a new one fails", () => {
  open();
  const key = readdirSync(directory).find((name) => /^root-.*key$/.test(name));
  rmSync(join(directory, key ?? "none"));
  const state = join(directory, "state.json");
  writeFileSync(state, readFileSync(state, "utf8").replace('"present"', '"absent"'));
  const authority = open();
  clock.turn(200 * DAY_MS);
  expect(authority.advance([])).toEqual({ ok: true, value: [] });
  expect(authority.rotateIssuing()).toMatchObject({ ok: false, error: expect.stringContaining("is kept elsewhere") });
  expect(verifySvid(issue(authority), authority.bundle, clock.now()).ok).toBe(true);
});

test("a rotation that was announced can be withdrawn", () => {
  const authority = open();
  const before = authority.bundle;
  unwrap(authority.rotateRoot());
  expect(authority.rotateRoot()).toMatchObject({ ok: false, error: expect.stringContaining("is announced already") });
  unwrap(authority.cancelRootRotation());
  expect(authority.bundle).toEqual(before);
  expect(open().bundle).toEqual(before);
});

test("what cannot be written does not happen", () => {
  const authority = open();
  const { bundle } = authority;
  renameSync(directory, `${directory}.away`);
  writeFileSync(directory, "a file where the directory was");
  const problem = { ok: false, error: expect.stringContaining(directory) };
  expect(authority.rotateRoot()).toEqual(problem);
  expect(authority.rotateIssuing()).toEqual(problem);
  expect(authority.issue(order())).toEqual(problem);
  expect(authority.bundle).toBe(bundle);
  expect(bundles).toEqual([]);
  rmSync(directory);
  renameSync(`${directory}.away`, directory);
  expect(verifySvid(issue(authority), bundle, clock.now()).ok).toBe(true);
});

test("the status names the roots, what they do, and who holds a rotation back", () => {
  const authority = open();
  issue(authority, { holder: "node-2/0", node: "node-2" });
  expect(authorityStatus(authority, [])).toMatchObject({
    trustDomain: "cluster.local",
    roots: [{ state: "signing", subject: expect.stringMatching(/^O=cluster.local, CN=Heddle root [0-9a-f]{8}$/) }],
    issuing: { state: "signing", notBefore: "2026-02-28T23:58:00Z", notAfter: "2027-03-01T00:00:00Z" },
    rotation: { kind: "idle" },
  });
  const nodes = [holding("node-1", authority.bundle)];
  unwrap(authority.rotateRoot());
  expect(authorityStatus(authority, nodes)).toMatchObject({
    roots: [{ state: "signing" }, { state: "announced" }],
    rotation: { kind: "announcing", waitingFor: ["node-1"] },
  });
  clock.turn(SETTLE_MS);
  unwrap(authority.advance([holding("node-1", authority.bundle)]));
  expect(authorityStatus(authority, [])).toMatchObject({
    roots: [{ state: "retiring" }, { state: "signing" }],
    rotation: { kind: "retiring", until: "2026-03-02T00:00:30Z", waitingFor: ["node-2"] },
  });
});

test("an old root is said to be trusted for as long as it is, though its certificates end before", () => {
  const authority = open(MINUTE_MS);
  issue(authority);
  rotate(authority);
  const rotation = () => authorityStatus(authority, []).rotation;
  const until = new Date(clock.now() + MIN_RETIREMENT_MS);
  expect(rotation()).toMatchObject({ kind: "retiring", until: until.toISOString().replace(".000", "") });
  clock.turn(MIN_RETIREMENT_MS - 1);
  unwrap(authority.advance([]));
  expect(rotation().kind).toBe("retiring");
  clock.turn(1);
  unwrap(authority.advance([]));
  expect(rotation()).toEqual({ kind: "idle" });
});

test("an operator is warned 60 days before a root or an issuing CA ends", () => {
  const { set } = open();
  const [root, issuing] = [set.roots[0]?.facts.notAfter ?? 0, set.issuing[0]?.facts.notAfter ?? 0];
  expect(authorityWarnings(set, issuing - 61 * DAY_MS)).toEqual([]);
  expect(authorityWarnings(set, issuing - 59 * DAY_MS)).toEqual([
    expect.stringMatching(/^issuing CA .* expires at 2027/),
  ]);
  expect(authorityWarnings(set, root - 59 * DAY_MS)).toContainEqual(expect.stringMatching(/^root .* expires at 2036/));
});

test("an operator is warned when the issuing CA cannot be renewed, because the root's key is kept elsewhere", () => {
  const { set } = open();
  const offline = { ...set, roots: set.roots.map((root) => ({ ...root, key: undefined })) };
  expect(authorityWarnings(offline, START + 182 * DAY_MS)).toEqual([]);
  expect(authorityWarnings(offline, START + 183 * DAY_MS)).toEqual([
    expect.stringMatching(/was due for renewal at 2026-08-30.*: bring back the key of root/),
  ]);
});

test("an issuing CA that was made while the clock was ahead is replaced when it is right again", () => {
  const authority = open();
  clock.turn(200 * DAY_MS);
  expect(unwrap(authority.advance([]))).toMatchObject([{ kind: "issuing-replaced" }]);
  clock.turn(-200 * DAY_MS);
  expect(authority.issue(order())).toMatchObject({
    ok: false,
    error: expect.stringMatching(/is valid from 2026-09.* here it is 2026-03/) as string,
  });
  expect(unwrap(authority.advance([]))).toMatchObject([{ kind: "issuing-replaced" }]);
  expect(verifySvid(issue(authority), authority.bundle, clock.now()).ok).toBe(true);
  expect(unwrap(authority.advance([]))).toEqual([]);
});

test("a root that was made while the clock was ahead is named, signs nothing, and is replaced by a rotation", () => {
  clock.turn(10 * 365 * DAY_MS);
  const authority = open();
  clock.turn(-10 * 365 * DAY_MS);
  expect(authority.issue(order())).toMatchObject({ ok: false });
  expect(unwrap(authority.advance([]))).toEqual([]);
  expect(authorityWarnings(authority.set, clock.now())[0]).toMatch(
    /is valid from 2036.*set the clock; or, .*rotate the root/,
  );
  unwrap(authority.rotateRoot());
  clock.turn(SETTLE_MS);
  expect(unwrap(authority.advance([]))).toMatchObject([{ kind: "root-signing" }]);
  expect(verifySvid(issue(authority), authority.bundle, clock.now()).ok).toBe(true);
});

test("a root that goes because nobody needs it is named as retired, one that is distrusted is not", () => {
  const rotated = (): CertificateAuthority => {
    const authority = open();
    issue(authority, { holder: "node-1 worker-0" });
    unwrap(authority.rotateRoot());
    clock.turn(SETTLE_MS);
    unwrap(authority.advance([]));
    return authority;
  };
  const authority = rotated();
  const [old = ""] = authority.set.roots.map(({ fingerprint }) => fingerprint);
  expect(authority.dropRoot(old, false)).toMatchObject({ ok: false, error: /may still be held by: node-1/ });
  issue(authority, { holder: "node-1 worker-0" });
  expect(unwrap(authority.dropRoot(old.slice(0, 8), false))).toBe(old);
  expect(bundles.at(-1)).toMatchObject({ roots: { length: 1 }, retired: [old] });
  const again = rotated();
  const [distrusted = ""] = again.set.roots.map(({ fingerprint }) => fingerprint);
  unwrap(again.dropRoot(distrusted, true));
  expect(bundles.at(-1)?.retired ?? []).not.toContain(distrusted);
  // By itself, after its time.
  const third = rotated();
  const [ended = ""] = third.set.roots.map(({ fingerprint }) => fingerprint);
  clock.turn(2 * DAY_MS);
  unwrap(third.advance([]));
  expect(bundles.at(-1)?.retired).toEqual([ended]);
  // One that could not be dropped in order, and then is distrusted.
  const fourth = rotated();
  const [stolen = ""] = fourth.set.roots.map(({ fingerprint }) => fingerprint);
  issue(fourth, { holder: "node-1 worker-0" });
  const obstacle = join(directory, "state.json.tmp/obstacle");
  mkdirSync(obstacle, { recursive: true });
  expect(fourth.dropRoot(stolen, false)).toMatchObject({ ok: false, error: /cannot write/ });
  rmSync(join(directory, "state.json.tmp"), { recursive: true });
  unwrap(fourth.dropRoot(stolen, true));
  expect(bundles.at(-1)?.retired ?? []).not.toContain(stolen);
});
