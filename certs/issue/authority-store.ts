import type { KeyObject } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

import { err, ok, type Result } from "#mesh/result.ts";
import type { TrustDomain } from "#mesh/spiffe-id.ts";

import { verifyPath } from "../verify/verify-svid.ts";
import { exportPrivateKey, exportPublicKey, importPrivateKey } from "../x509/key-pair.ts";
import { formatPem, parseSinglePem, type PemLabel } from "../x509/pem.ts";
import { syncDirectory, writeFileAtomically } from "./atomic-file.ts";
import { type Authority, authorityOf } from "./authority.ts";
import { type AuthorityRecord, formatState, parseState, type StoredState } from "./authority-record.ts";
import type { AuthoritySet, IssuingAuthority, TrustedRoot } from "./authority-set.ts";
import { trustedRoots } from "./rotation.ts";

/*
 * The directory (mode 0700) of an authority; every file has mode 0600 and is written atomically:
 *
 *     state.json                  which files count, and where a rotation stands
 *     root-<fingerprint>.crt      PEM; the first 16 digits of the SHA-256
 *     root-<fingerprint>.key      PKCS#8; may be kept elsewhere if state.json says "key": "absent"
 *     issuing-<fingerprint>.crt
 *     issuing-<fingerprint>.key
 */

const STATE_FILE = "state.json";
const OWN_FILES = /^(?:root|issuing)-[0-9a-f]{16}\.(?:crt|key)(?:\.tmp)?$/;

type Role = "root" | "issuing";

/**
 * Reads the authority of a directory and checks that its parts belong together.
 * @returns undefined where there never was one; else which file is wrong and what to do. Nothing is ever replaced or
 * repaired: a new root would cut off every node that trusts the old one.
 */
export const loadAuthoritySet = (
  directory: string,
  trustDomain: TrustDomain,
): Result<AuthoritySet | undefined, string> => {
  const state = readState(directory);
  if (!state.ok) return state;
  if (state.value?.kind !== "ready") return ok(undefined);
  const { record } = state.value;
  const file = join(directory, STATE_FILE);
  if (record.trustDomain !== trustDomain) {
    return err(
      `${file} is of trust domain ${record.trustDomain}, and ${trustDomain} is configured: ` +
        `set it back, or point the control plane at another directory`,
    );
  }
  return readSet(directory, record);
};

/**
 * Writes an authority so that a crash at any moment leaves the old one or the new. Files that no longer count are removed; so
 * are the new ones where not all of them can be written, as on a full disk: what was there is there still, and nothing else.
 */
export const saveAuthoritySet = (directory: string, set: AuthoritySet): Result<undefined, string> => {
  const prepared = prepareDirectory(directory);
  if (!prepared.ok) return prepared;
  const files = new Map<string, string>([
    ...set.roots.flatMap((root) => filesOf("root", root)),
    ...set.issuing.flatMap((issuing) => filesOf("issuing", issuing)),
  ]);
  const begun: string[] = [];
  const undo = (failed: Result<undefined, string>): Result<undefined, string> => {
    try {
      for (const name of begun) rmSync(join(directory, name));
    } catch {
      // They count for nothing, and go when the next set is written.
    }
    return failed;
  };
  for (const [name, content] of files) {
    // What a fingerprint names never changes.
    if (existsSync(join(directory, name))) continue;
    const written = write(directory, name, content);
    if (!written.ok) return undo(written);
    begun.push(name);
  }
  const state = write(directory, STATE_FILE, formatState({ kind: "ready", record: recordOf(set) }));
  return state.ok ? removeOthers(directory, files) : undo(state);
};

const readState = (directory: string): Result<StoredState | undefined, string> => {
  const file = join(directory, STATE_FILE);
  const json = readText(file);
  if (!json.ok) return json;
  if (json.value === undefined) return whereNothingIs(directory);
  const state = parseState(json.value);
  return state.ok ? state : err(`${file} is damaged (${state.error}): ${RESTORE}`);
};

/** Keys without a state are somebody's trust that was lost, not a reason to begin anew. */
const whereNothingIs = (directory: string): Result<undefined, string> => {
  const left = existsSync(directory) ? readdirSync(directory).find((name) => OWN_FILES.test(name)) : undefined;
  return left === undefined
    ? ok(undefined)
    : err(`${join(directory, STATE_FILE)} is missing and ${left} is there: ${RESTORE}`);
};

const RESTORE =
  "restore the directory from a backup; to begin with a new root that no node trusts yet, move the directory away";

const readSet = (directory: string, record: AuthorityRecord): Result<AuthoritySet, string> => {
  const roots: TrustedRoot[] = [];
  for (const { fingerprint, key } of record.roots) {
    const root = readAuthority(directory, "root", fingerprint, key);
    if (!root.ok) return root;
    roots.push(root.value);
  }
  const issuing: IssuingAuthority[] = [];
  for (const { fingerprint, root } of record.issuing) {
    const authority = readAuthority(directory, "issuing", fingerprint, "present");
    if (!authority.ok) return authority;
    const { key } = authority.value;
    if (key) issuing.push({ ...authority.value, key, root });
  }
  const set = { trustDomain: record.trustDomain, roots, issuing, rotation: record.rotation };
  const problem = inconsistency(set);
  return problem === undefined ? ok(set) : err(`${join(directory, STATE_FILE)}: ${problem}: ${RESTORE}`);
};

const inconsistency = ({ roots, issuing, rotation }: AuthoritySet): string | undefined => {
  const known = new Set(roots.map(({ fingerprint }) => fingerprint));
  const trusted = trustedRoots(rotation);
  const unlisted = trusted.find((root) => !known.has(root));
  if (unlisted !== undefined || known.size !== trusted.length) return "its roots and its rotation do not agree";
  for (const root of [rotation.signing.root, ...(rotation.announced ? [rotation.announced.root] : [])]) {
    if (!issuing.some((authority) => authority.root === root)) return `no issuing CA under root ${root.slice(0, 16)}`;
  }
  const stranger = issuing.find((authority) => !isUnder(authority, roots));
  return stranger && `issuing CA ${stranger.fingerprint.slice(0, 16)} is not signed by its root`;
};

/** At the time it began: whether it has ended is not a question of damage. */
const isUnder = (issuing: IssuingAuthority, roots: readonly TrustedRoot[]): boolean => {
  const root = roots.find(({ fingerprint }) => fingerprint === issuing.root);
  const at = Math.max(issuing.facts.notBefore, root?.facts.notBefore ?? 0);
  return root !== undefined && verifyPath([issuing.certificate], [root.certificate], at).ok;
};

const readAuthority = (
  directory: string,
  role: Role,
  fingerprint: string,
  keyRecord: "present" | "absent",
): Result<TrustedRoot, string> => {
  const file = join(directory, certificateFile(role, fingerprint));
  const der = readBlock(file, "CERTIFICATE");
  if (!der.ok) return der;
  if (!der.value) return err(`${file} is missing: ${RESTORE}`);
  const authority = authorityOf(der.value);
  if (!authority.ok) return err(`${file} is damaged (${authority.error}): ${RESTORE}`);
  if (authority.value.fingerprint !== fingerprint) return err(`${file} is another certificate: ${RESTORE}`);
  const key = readKey(join(directory, keyFile(role, fingerprint)), authority.value);
  if (!key.ok) return key;
  if (!key.value && keyRecord === "present") return err(missingKey(directory, role, fingerprint));
  return ok({ ...authority.value, key: key.value });
};

const missingKey = (directory: string, role: Role, fingerprint: string): string => {
  const file = join(directory, keyFile(role, fingerprint));
  const offline = `if it is kept elsewhere on purpose, write "key": "absent" for it in ${join(directory, STATE_FILE)}`;
  return role === "root" ? `${file} is missing: put it back; ${offline}` : `${file} is missing: ${RESTORE}`;
};

const readKey = (file: string, { facts }: Authority): Result<KeyObject | undefined, string> => {
  const pkcs8 = readBlock(file, "PRIVATE KEY");
  if (!pkcs8.ok || !pkcs8.value) return pkcs8.ok ? ok(undefined) : pkcs8;
  const mode = statSync(file).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    return err(
      `${file} has mode 0${mode.toString(8)}, so that others may know the key: chmod 600 it, and rotate the root if they do`,
    );
  }
  const key = importPrivateKey(pkcs8.value);
  if (!key.ok) return err(`${file} is damaged (${key.error}): ${RESTORE}`);
  const belongs = Buffer.compare(exportPublicKey(key.value), facts.publicKey) === 0;
  return belongs ? key : err(`${file} is the key of another certificate: ${RESTORE}`);
};

const readBlock = (file: string, label: PemLabel): Result<Uint8Array | undefined, string> => {
  const pem = readText(file);
  if (!pem.ok || pem.value === undefined) return pem.ok ? ok(undefined) : pem;
  const block = parseSinglePem(label, pem.value);
  return block.ok ? block : err(`${file} is damaged (${block.error}): ${RESTORE}`);
};

const readText = (file: string): Result<string | undefined, string> => {
  try {
    return ok(readFileSync(file, "utf8"));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? ok(undefined) : err(`cannot read ${file}: ${message}`);
  }
};

/** Makes the directory, and marks a first start, so that one that was cut off is not taken for a loss. */
const prepareDirectory = (directory: string): Result<undefined, string> => {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
  } catch (error) {
    return err(`cannot make ${directory}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return existsSync(join(directory, STATE_FILE))
    ? ok(undefined)
    : write(directory, STATE_FILE, formatState({ kind: "starting" }));
};

const write = (directory: string, name: string, content: string): Result<undefined, string> =>
  writeFileAtomically(join(directory, name), content, 0o600);

/** Above all the keys of CAs that no longer sign. */
const removeOthers = (directory: string, files: ReadonlyMap<string, string>): Result<undefined, string> => {
  try {
    for (const name of readdirSync(directory)) {
      if (OWN_FILES.test(name) && !files.has(name)) rmSync(join(directory, name));
    }
    syncDirectory(directory);
    return ok(undefined);
  } catch (error) {
    return err(`cannot remove old keys in ${directory}: ${error instanceof Error ? error.message : String(error)}`);
  }
};

const recordOf = ({ trustDomain, roots, issuing, rotation }: AuthoritySet): AuthorityRecord => ({
  trustDomain,
  roots: roots.map(({ fingerprint, key }) => ({ fingerprint, key: key ? "present" : "absent" })),
  issuing: issuing.map(({ fingerprint, root }) => ({ fingerprint, root })),
  rotation,
});

const filesOf = (role: Role, { fingerprint, certificate, key }: TrustedRoot): readonly [string, string][] => [
  [certificateFile(role, fingerprint), formatPem("CERTIFICATE", certificate)],
  ...(key
    ? [[keyFile(role, fingerprint), formatPem("PRIVATE KEY", exportPrivateKey(key))] satisfies [string, string]]
    : []),
];

const certificateFile = (role: Role, fingerprint: string): string => `${role}-${fingerprint.slice(0, 16)}.crt`;

const keyFile = (role: Role, fingerprint: string): string => `${role}-${fingerprint.slice(0, 16)}.key`;
