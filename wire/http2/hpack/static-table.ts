import type { Field } from "../../field.ts";

/** RFC 7541 appendix A; the first one has index 1. Equal names stand together. */
const ENTRIES: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

export const STATIC_TABLE_LENGTH = ENTRIES.length;

/** By index; nothing has index 0. */
export const STATIC_FIELDS: readonly (Field | undefined)[] = [
  undefined,
  ...ENTRIES.map(([name, value]) => ({ name, value, isNeverIndexed: false })),
];

/** What the static table knows of one name: the values from `firstIndex` on. */
export interface StaticName {
  readonly firstIndex: number;
  readonly values: readonly string[];
}

const valuesOf = (name: string): readonly string[] =>
  ENTRIES.filter((entry) => entry[0] === name).map(([, value]) => value);

/** By name, for encoders. */
export const STATIC_NAMES: ReadonlyMap<string, StaticName> = new Map(
  // The later entries of a name come first, so that the first one stays.
  ENTRIES.map(([name], at): [string, StaticName] => [name, { firstIndex: at + 1, values: valuesOf(name) }]).reverse(),
);
