import { isToken } from "./characters.ts";
import { Http1Error, quote } from "./http1-error.ts";
import type { HttpVersion } from "./http-version.ts";
import type { Section } from "./section-reader.ts";
import { byLength, nameAt, wordAt } from "./word.ts";

const NONE: readonly string[] = [];

/**
 * What the fields of a head say about the message itself and about the connection. Two lines of a field that decides about
 * framing or routing are an error, equal or not.
 */
export class HeadFacts {
  host: string | undefined;
  /** At most one: a second is an error. A number if it is written as we write it; else as it stands, and not checked. */
  contentLength: number | string | undefined;
  transferEncoding: string | undefined;
  /** Options of all Connection fields, in lower case. */
  connection = NONE;
  /** Members of all Upgrade fields. */
  upgrade = NONE;
  expect: string | undefined;
  /** Whether a field is there that concerns this connection alone, apart from framing and `Connection: keep-alive`. */
  hasHopByHop = false;
  /** Whether a name begins with "x". */
  hasX = false;

  /** A field line whose name and value stand in `raw` from the first index to the second, and from the third to the fourth. */
  note(section: Section, start: number, colon: number, from: number, to: number): void {
    if (((section.raw[start] as number) | LOWER_CASE_BIT) === LETTER_X) this.hasX = true;
    const name = nameAt(section.raw, start, colon, NAMES);
    switch (name) {
      case undefined:
        break;
      case "host":
        if (this.host !== undefined) throw new Http1Error("repeated-host", "Host stands twice (RFC 9112 section 3.2)");
        this.host = section.text.slice(from, to);
        break;
      case "content-length":
        if (this.contentLength !== undefined)
          throw new Http1Error("repeated-content-length", "Content-Length stands twice (RFC 9112 section 6.3)");
        this.contentLength = plainLength(section.raw, from, to) ?? section.text.slice(from, to);
        break;
      case "transfer-encoding":
        if (this.transferEncoding !== undefined)
          throw new Http1Error("bad-transfer-encoding", "Transfer-Encoding stands twice (RFC 9112 section 6.1)");
        this.transferEncoding = valueOf(section, from, to);
        break;
      case "connection": {
        const options = connectionOptions(valueOf(section, from, to));
        this.connection = this.connection.length === 0 ? options : [...this.connection, ...options];
        if (!isKeepAliveAlone(this.connection)) this.hasHopByHop = true;
        break;
      }
      case "expect": {
        const value = section.text.slice(from, to);
        this.expect = this.expect === undefined ? value : `${this.expect}, ${value}`;
        break;
      }
      case "upgrade":
        this.upgrade = [...this.upgrade, ...members(section.text.slice(from, to))];
        this.hasHopByHop = true;
        break;
      default:
        this.hasHopByHop = true;
    }
  }
}

const NAMES = byLength([
  ..."host content-length transfer-encoding connection expect upgrade".split(" "),
  // which say only that they are there
  ..."te keep-alive http2-settings proxy-connection".split(" "),
]);
const VALUES = byLength(["chunked", "keep-alive", "close"]);

const valueOf = (section: Section, from: number, to: number): string =>
  wordAt(section.raw, from, to, VALUES) ?? section.text.slice(from, to);

/** A number without leading zeros that can be counted; undefined for whatever else stands there. */
const plainLength = (bytes: Uint8Array, from: number, to: number): number | undefined => {
  if (to === from || (bytes[from] === ZERO && to - from > 1)) return undefined;
  let length = 0;
  for (let at = from; at < to; at += 1) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    length = length * 10 + digit;
  }
  return Number.isSafeInteger(length) ? length : undefined;
};

const ZERO = 0x30;
const LOWER_CASE_BIT = 0x20;
const LETTER_X = 0x78;

/** Whether another message may follow: 1.1 unless `close`, 1.0 only with `keep-alive` (RFC 9112 section 9.3). */
export const isPersistent = (facts: HeadFacts, version: HttpVersion): boolean =>
  !facts.connection.includes("close") && (version === "1.1" || facts.connection.includes("keep-alive"));

const KEEP_ALIVE: readonly string[] = ["keep-alive"];

/** `Connection = #connection-option`, a token each (RFC 9110 section 7.6.1). @returns them in lower case. */
export const connectionOptions = (value: string): readonly string[] => {
  if (value === "keep-alive") return KEEP_ALIVE;
  const options = members(value);
  for (const option of options)
    if (!isToken(option))
      throw new Http1Error(
        "bad-connection-field",
        `connection option ${quote(option)} is not a token (RFC 9110 section 7.6.1)`,
      );
  return options.map((option) => option.toLowerCase());
};

const isKeepAliveAlone = (options: readonly string[]): boolean => options.length === 1 && options[0] === "keep-alive";

/** Members of a comma-separated list of tokens; empty ones do not count (RFC 9110 section 5.6.1.2). */
export const members = (value: string): readonly string[] =>
  value
    .split(",")
    .map((member) => member.replaceAll(/^[ \t]+|[ \t]+$/g, ""))
    .filter((member) => member !== "");
