import type { Field } from "../field.ts";
import { isNamed, isToken } from "./characters.ts";
import { Http1Error, quote } from "./http1-error.ts";
import type { HttpVersion } from "./http-version.ts";

/** What the fields of a head say about the message itself and about the connection. */
export interface HeadFacts {
  readonly host: string | undefined;
  /** At most one: a second is an error. */
  readonly contentLength: string | undefined;
  readonly transferEncoding: string | undefined;
  /** Options of all Connection fields, in lower case. */
  readonly connection: readonly string[];
  /** Members of all Upgrade fields. */
  readonly upgrade: readonly string[];
  readonly expect: string | undefined;
  /** Whether a field is there that concerns this connection alone, apart from framing and `Connection: keep-alive`. */
  readonly hasHopByHop: boolean;
}

const NONE: readonly string[] = [];

/** Reads them in one pass. Two lines of a field that decides about framing or routing are an error, equal or not. */
export const headFacts = (fields: readonly Field[]): HeadFacts => {
  let host: string | undefined;
  let contentLength: string | undefined;
  let transferEncoding: string | undefined;
  let connection = NONE;
  let upgrade = NONE;
  let expect: string | undefined;
  let hasHopByHop = false;
  for (const { name, value } of fields) {
    // By length first: most fields are done with after one comparison.
    switch (name.length) {
      case 2:
        if (isNamed(name, "te")) hasHopByHop = true;
        break;
      case 4:
        if (!isNamed(name, "host")) break;
        if (host !== undefined) throw new Http1Error("repeated-host", "Host stands twice (RFC 9112 section 3.2)");
        host = value;
        break;
      case 6:
        if (isNamed(name, "expect")) expect = expect === undefined ? value : `${expect}, ${value}`;
        break;
      case 7:
        if (!isNamed(name, "upgrade")) break;
        upgrade = [...upgrade, ...members(value)];
        hasHopByHop = true;
        break;
      case 10:
        if (isNamed(name, "connection")) {
          connection =
            connection.length === 0 ? connectionOptions(value) : [...connection, ...connectionOptions(value)];
          if (!isKeepAliveAlone(connection)) hasHopByHop = true;
        } else if (isNamed(name, "keep-alive")) hasHopByHop = true;
        break;
      case 14:
        if (isNamed(name, "content-length")) {
          if (contentLength !== undefined)
            throw new Http1Error("repeated-content-length", "Content-Length stands twice (RFC 9112 section 6.3)");
          contentLength = value;
        } else if (isNamed(name, "http2-settings")) hasHopByHop = true;
        break;
      case 16:
        if (isNamed(name, "proxy-connection")) hasHopByHop = true;
        break;
      case 17:
        if (!isNamed(name, "transfer-encoding")) break;
        if (transferEncoding !== undefined)
          throw new Http1Error("bad-transfer-encoding", "Transfer-Encoding stands twice (RFC 9112 section 6.1)");
        transferEncoding = value;
        break;
      default:
    }
  }
  return { host, contentLength, transferEncoding, connection, upgrade, expect, hasHopByHop };
};

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
