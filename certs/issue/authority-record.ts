import { integer, list, object, oneOf, optional, parsed, type Reader, read, required } from "#mesh/objects/reader.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { parseTrustDomain, type TrustDomain } from "#mesh/spiffe-id.ts";

import type { RootId, RotationState } from "./rotation.ts";

/**
 * What `state.json` of an authority's directory says: which files belong to the authority, and where a rotation stands. It
 * is written after the files that it names, so that it never names one that is not there.
 */
export interface AuthorityRecord {
  readonly trustDomain: TrustDomain;
  readonly roots: readonly RootRecord[];
  readonly issuing: readonly IssuingRecord[];
  readonly rotation: RotationState;
}

export interface RootRecord {
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint: RootId;
  /** Absent: kept elsewhere, or no longer needed. */
  readonly key: "present" | "absent";
}

export interface IssuingRecord {
  readonly fingerprint: string;
  readonly root: RootId;
}

/** `starting`: the first files are being written, nothing was ever signed. */
export type StoredState = { readonly kind: "starting" } | { readonly kind: "ready"; readonly record: AuthorityRecord };

const VERSION = 1;

export const formatState = (state: StoredState): string => {
  const content = state.kind === "ready" ? withDates(state.record) : {};
  return `${JSON.stringify({ version: VERSION, state: state.kind, ...content }, undefined, 2)}\n`;
};

/** Reads what {@link formatState} wrote, or names every place where it is something else. */
export const parseState = (json: string): Result<StoredState, string> => {
  const value = parseJson(json);
  if (!value.ok) return value;
  const head = read(headReader, value.value);
  if (!head.ok) return err(head.error.map(({ path, message }) => `${path} ${message}`).join("; "));
  if (head.value.state === "starting") return ok({ kind: "starting" });
  const record = read(recordReader, value.value);
  return record.ok
    ? ok({ kind: "ready", record: record.value })
    : err(record.error.map(({ path, message }) => `${path} ${message}`).join("; "));
};

const parseJson = (json: string): Result<unknown, string> => {
  try {
    return ok(JSON.parse(json));
  } catch {
    return err("it is not JSON");
  }
};

const parseFingerprint = (value: string): Result<string, string> =>
  /^[0-9a-f]{64}$/.test(value) ? ok(value) : err("is not a SHA-256 in lower-case hex");

const parseTime = (value: string): Result<number, string> => {
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? err("is not a time like 2026-01-31T12:00:00.000Z") : ok(ms);
};

const fingerprint = required(parsed(parseFingerprint));
const time = required(parsed(parseTime));

const rotationReader: Reader<RotationState> = object({
  signing: required(object({ root: fingerprint, longestLeafMs: required(integer(0, Number.MAX_SAFE_INTEGER)) })),
  announced: optional(object({ root: fingerprint, since: time })),
  retiring: required(list(object({ root: fingerprint, since: time, until: time }))),
});

const headReader = object({
  version: required(integer(VERSION, VERSION)),
  state: required(oneOf("starting", "ready")),
});

const recordReader: Reader<AuthorityRecord> = object({
  trustDomain: required(parsed(parseTrustDomain)),
  roots: required(list(object({ fingerprint, key: required(oneOf("present", "absent")) }))),
  issuing: required(list(object({ fingerprint, root: fingerprint }))),
  rotation: required(rotationReader),
});

/** Times are written so that a person can read them. */
const withDates = ({ rotation, ...record }: AuthorityRecord): object => ({
  ...record,
  rotation: {
    signing: rotation.signing,
    announced: rotation.announced && { ...rotation.announced, since: isoTime(rotation.announced.since) },
    retiring: rotation.retiring.map(({ root, since, until }) => ({
      root,
      since: isoTime(since),
      until: isoTime(until),
    })),
  },
});

/** With milliseconds: what is read back is what was written. */
const isoTime = (ms: number): string => new Date(ms).toISOString();
