import { randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";

import { exportPrivateKey } from "../x509/key-pair.ts";
import {
  type AuthoritySet,
  firstAuthoritySet,
  withAnnouncedRoot,
  withNewIssuing,
  withRotation,
} from "./authority-set.ts";
import { loadAuthoritySet, saveAuthoritySet } from "./authority-store.ts";
import { transition } from "./rotation.ts";

const trustDomain = unwrap(parseTrustDomain("cluster.local"));
const surroundings = { now: Date.parse("2026-03-01T00:00:00Z"), random: randomBytes };

let directory = "";
let set: AuthoritySet;

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), "heddle-store-")), "ca");
  set = unwrap(firstAuthoritySet(trustDomain, surroundings));
  unwrap(saveAuthoritySet(directory, set));
});

afterEach(() => rmSync(join(directory, ".."), { recursive: true }));

const load = () => loadAuthoritySet(directory, trustDomain);
const file = (pattern: RegExp): string =>
  join(directory, readdirSync(directory).find((name) => pattern.test(name)) ?? "");

/** What can be compared: keys by their content. */
const comparable = ({ roots, issuing, ...rest }: AuthoritySet) => ({
  ...rest,
  roots: roots.map(({ fingerprint, key }) => [fingerprint, key && exportPrivateKey(key)]),
  issuing: issuing.map(({ fingerprint, key, root }) => [fingerprint, exportPrivateKey(key), root]),
});

test("an authority is read back as it was written, several roots and issuing CAs too", () => {
  const announced = unwrap(withAnnouncedRoot(set, surroundings));
  unwrap(saveAuthoritySet(directory, announced));
  const loaded = unwrap(load());
  expect(loaded && comparable(loaded)).toEqual(comparable(announced));
  expect(loaded?.roots).toHaveLength(2);
  expect(loaded?.issuing).toHaveLength(2);
});

test("keys and certificates are readable for their owner only, and so is their directory", () => {
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  const names = readdirSync(directory);
  expect(names).toHaveLength(5);
  for (const name of names) expect([name, statSync(join(directory, name)).mode & 0o777]).toEqual([name, 0o600]);
});

test("a directory that others may enter is closed to them", () => {
  chmodSync(directory, 0o755);
  unwrap(saveAuthoritySet(directory, set));
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

test("a directory that is not there, or empty, is a first start", () => {
  expect(loadAuthoritySet(join(directory, "nothing"), trustDomain)).toEqual({ ok: true, value: undefined });
  expect(loadAuthoritySet(mkdtempSync(join(directory, "empty-")), trustDomain)).toEqual({ ok: true, value: undefined });
});

test("a first start that was cut off begins again", () => {
  writeFileSync(join(directory, "state.json"), '{"version":1,"state":"starting"}');
  expect(load()).toEqual({ ok: true, value: undefined });
  const again = unwrap(firstAuthoritySet(trustDomain, surroundings));
  unwrap(saveAuthoritySet(directory, again));
  expect(readdirSync(directory)).toHaveLength(5);
  expect(unwrap(load())?.roots[0]?.fingerprint).toBe(again.roots[0]?.fingerprint);
});

test("a first start that fails half-way leaves no half authority behind", () => {
  rmSync(directory, { recursive: true });
  const obstacle = join(directory, `issuing-${set.issuing[0]?.fingerprint.slice(0, 16)}.key.tmp`);
  mkdirSync(obstacle, { recursive: true });
  expect(saveAuthoritySet(directory, set)).toEqual({ ok: false, error: expect.stringContaining("cannot write") });
  expect(readdirSync(directory).sort()).toEqual([basename(obstacle), "state.json"]);
  expect(load()).toEqual({ ok: true, value: undefined });
  rmSync(obstacle, { recursive: true });
  unwrap(saveAuthoritySet(directory, set));
  expect(unwrap(load())).toBeDefined();
});

test("of a change that cannot be written whole nothing is left, and the authority is as it was", () => {
  const before = readdirSync(directory).sort();
  const next = unwrap(withAnnouncedRoot(set, surroundings));
  const names = next.issuing.map(({ fingerprint }) => `issuing-${fingerprint.slice(0, 16)}.key`);
  for (const name of [...names.filter((each) => !before.includes(each)), "state.json"]) {
    const obstacle = join(directory, `${name}.tmp`);
    mkdirSync(join(obstacle, "x"), { recursive: true });
    expect(saveAuthoritySet(directory, next)).toEqual({ ok: false, error: expect.stringContaining(name) });
    rmSync(obstacle, { recursive: true });
    expect(readdirSync(directory).sort()).toEqual(before);
    expect(comparable(unwrap(load()) ?? next)).toEqual(comparable(set));
  }
  unwrap(saveAuthoritySet(directory, next));
  expect(unwrap(load())?.roots.length).toBe(2);
});

test("a crash between the files and the state leaves the old authority", () => {
  const state = readFileSync(join(directory, "state.json"));
  unwrap(saveAuthoritySet(directory, unwrap(withAnnouncedRoot(set, surroundings))));
  writeFileSync(join(directory, "state.json"), state);
  writeFileSync(join(directory, "state.json.tmp"), "half a sta");
  const loaded = unwrap(load());
  expect(loaded && comparable(loaded)).toEqual(comparable(set));
  unwrap(saveAuthoritySet(directory, set));
  expect(readdirSync(directory)).toHaveLength(5);
});

test("the key of an issuing CA that no longer signs is removed, and so is that of a root that retires", () => {
  const [oldKey, oldRootKey] = [file(/^issuing-.*key/), file(/^root-.*key/)];
  unwrap(saveAuthoritySet(directory, unwrap(withNewIssuing(set, surroundings))));
  expect([existsSync(oldKey), existsSync(oldRootKey)]).toEqual([false, true]);
  const announced = unwrap(withAnnouncedRoot(set, surroundings));
  const rotation = unwrap(transition(announced.rotation, { kind: "sign", now: surroundings.now }));
  unwrap(saveAuthoritySet(directory, withRotation(announced, rotation)));
  expect(existsSync(oldRootKey)).toBe(false);
  const loaded = unwrap(load());
  expect(loaded?.roots.map(({ key }) => key !== undefined)).toEqual([false, true]);
  expect(loaded?.issuing.map(({ root }) => root)).toEqual([rotation.signing.root]);
});

test("files of others in the directory are left alone", () => {
  writeFileSync(join(directory, "join-token.key"), "another's");
  unwrap(saveAuthoritySet(directory, set));
  expect(existsSync(join(directory, "join-token.key"))).toBe(true);
});

test.each<[string, () => void, string]>([
  ["the state is gone", () => rmSync(join(directory, "state.json")), "state.json is missing and "],
  [
    "the state is cut off",
    () => truncateSync(join(directory, "state.json"), 40),
    "state.json is damaged (it is not JSON)",
  ],
  ["the state is empty", () => truncateSync(join(directory, "state.json")), "state.json is damaged"],
  [
    "the state is of a later version",
    () => edit((state) => ({ ...state, version: 2 })),
    "state.json is damaged (version",
  ],
  [
    "the state lacks its rotation",
    () => edit((state) => ({ ...state, rotation: undefined })),
    "damaged (rotation is required",
  ],
  [
    "the state names a root more",
    () => edit((s) => ({ ...s, roots: [...list(s["roots"]), stranger()] })),
    "is missing",
  ],
  [
    "the state has no issuing CA",
    () => edit((state) => ({ ...state, issuing: [] })),
    "state.json: no issuing CA under root",
  ],
  ["a root's certificate is gone", () => rmSync(file(/^root-.*crt/)), ".crt is missing: restore the directory"],
  ["a root's certificate is cut off", () => truncateSync(file(/^root-.*crt/), 200), ".crt is damaged (no PEM block"],
  ["a root's certificate is empty", () => truncateSync(file(/^root-.*crt/)), ".crt is damaged (no PEM block"],
  [
    "a root's certificate is another",
    () => copyFileSync(file(/^issuing-.*crt/), file(/^root-.*crt/)),
    "is another certificate",
  ],
  [
    "a root's key is gone",
    () => rmSync(file(/^root-.*key/)),
    ".key is missing: put it back; if it is kept elsewhere on",
  ],
  ["a root's key is another", () => copyFileSync(file(/^issuing-.*key/), file(/^root-.*key/)), "is the key of another"],
  ["a root's key is garbage", () => writeFileSync(file(/^root-.*key/), "garbage"), ".key is damaged"],
  ["an issuing CA's key is gone", () => rmSync(file(/^issuing-.*key/)), ".key is missing: restore the directory"],
  [
    "an issuing CA's certificate is gone",
    () => rmSync(file(/^issuing-.*crt/)),
    ".crt is missing: restore the directory",
  ],
  [
    "others may read a key",
    () => chmodSync(file(/^root-.*key/), 0o644),
    "has mode 0644, so that others may know the key",
  ],
  ["a file is a directory", () => asDirectory(file(/^root-.*crt/)), "cannot read"],
])("nothing is repaired in silence: %s", (_, damage, message) => {
  damage();
  const before = readdirSync(directory);
  expect(load()).toEqual({ ok: false, error: expect.stringContaining(message) });
  expect(load()).toEqual({ ok: false, error: expect.stringContaining(directory) });
  expect(readdirSync(directory)).toEqual(before);
});

test("nothing is repaired in silence: the rotation names a root that is not listed", () => {
  edit((state) => ({ ...state, rotation: { signing: { root: "f".repeat(64), longestLeafMs: 0 }, retiring: [] } }));
  expect(load()).toEqual({ ok: false, error: expect.stringContaining("its roots and its rotation do not agree") });
});

test("nothing is repaired in silence: issuing CAs are under each other's roots", () => {
  unwrap(saveAuthoritySet(directory, unwrap(withAnnouncedRoot(set, surroundings))));
  edit((state) => {
    const [first = {}, second = {}] = list(state["issuing"]);
    const swapped = [
      { ...first, root: second["root"] },
      { ...second, root: first["root"] },
    ];
    return { ...state, issuing: swapped };
  });
  expect(load()).toEqual({
    ok: false,
    error: expect.stringMatching(/issuing CA [0-9a-f]{16} is not signed by its root/),
  });
});

test("an authority of another trust domain is not taken, and both are named", () => {
  const other = loadAuthoritySet(directory, unwrap(parseTrustDomain("other.example")));
  expect(other).toEqual({
    ok: false,
    error: expect.stringContaining("cluster.local, and other.example is configured"),
  });
});

test("the key of a root may be kept elsewhere, and is used when it is brought back", () => {
  const key = file(/^root-.*key/);
  renameSync(key, `${key}.elsewhere`);
  edit((state) => ({ ...state, roots: list(state["roots"]).map((root) => ({ ...root, key: "absent" })) }));
  const without = unwrap(load());
  expect(without?.roots[0]?.key).toBeUndefined();
  expect(without && withNewIssuing(without, surroundings)).toMatchObject({
    ok: false,
    error: expect.stringContaining("bring it back to sign a new issuing CA"),
  });
  renameSync(`${key}.elsewhere`, key);
  expect(unwrap(load())?.roots[0]?.key).toBeDefined();
});

test("a directory that cannot be written to is said, and the authority there stays", () => {
  const blocked = join(directory, "state.json", "ca");
  expect(saveAuthoritySet(blocked, set)).toEqual({
    ok: false,
    error: expect.stringContaining(`cannot make ${blocked}`),
  });
});

type Json = Record<string, unknown>;

function edit(change: (state: Json) => Json): void {
  const path = join(directory, "state.json");
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8")) as Json)));
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

function stranger(): Json {
  return { fingerprint: "f".repeat(64), key: "present" };
}

function asDirectory(path: string): void {
  rmSync(path);
  renameSync(mkdtempSync(join(directory, "dir-")), path);
}
