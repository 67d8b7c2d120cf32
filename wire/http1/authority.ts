/**
 *     Host       = uri-host [ ":" port ]                                    RFC 9110 section 7.2
 *     uri-host   = name / IPv4address / "[" IPv6address "]"                 RFC 3986 section 3.2.2
 *     name       = label *( "." label ) [ "." ]      label = 1*( ALPHA / DIGIT / "-" / "_" )
 *
 * Narrower than RFC 3986, where a name may hold sub-delims and percent-encoding, or end in a number as `10.0.010`, `0x7f.1` and
 * `1` do: no host that can be looked up has them, and parsers differ about them. What ends in a number is an IPv4 address.
 */
export interface Authority {
  /** Lower case, without the final dot; an IPv6 address in brackets and in its canonical form (RFC 5952). */
  readonly host: string;
  /** Undefined when it was left out, or left empty. */
  readonly port: number | undefined;
}

export type ParsedAuthority =
  | { readonly kind: "authority"; readonly authority: Authority }
  | { readonly kind: "invalid"; readonly problem: string };

/** RFC 1035 section 2.3.4. */
const MAX_NAME = 253;

/**
 * The one place where the host of a request gets its normal form: routing and policy both compare what comes out of here, in
 * HTTP/1 (Host, absolute-form, CONNECT) and in HTTP/2 (`:authority`). What is forwarded stays as it came.
 */
export const parseAuthority = (text: string): ParsedAuthority => {
  const known = recent.get(text);
  if (known) return known;
  const parsed = parse(text);
  if (text.length <= MAX_RECENT_LENGTH) remember(text, parsed);
  return parsed;
};

/** What was parsed lately: clients name the same few hosts in every request. */
const recent = new Map<string, ParsedAuthority>();
const MAX_RECENT = 256;
const MAX_RECENT_LENGTH = 128;

const remember = (text: string, parsed: ParsedAuthority): void => {
  if (recent.size >= MAX_RECENT) recent.clear();
  // Put together and cut again: a part of a head would keep all of it in memory.
  recent.set(` ${text}`.slice(1), parsed);
};

const parse = (text: string): ParsedAuthority => {
  const match = AUTHORITY.exec(text);
  if (match === null) return invalid(text === "" ? "is empty" : "is not host[:port]");
  const host = match[2] === undefined ? normalName(match[1] ?? "") : normalIpv6(match[2]);
  if (host === undefined) return invalid("has a malformed host");
  const digits = match[3] ?? "";
  const port = digits === "" ? undefined : Number(digits);
  if (port !== undefined && (String(port) !== digits || port < 1 || port > 65_535))
    return invalid("has a port that is not 1 to 65535 without leading zeros");
  return { kind: "authority", authority: { host, port } };
};

/** The port a connection would use. */
export const effectivePort = (authority: Authority, scheme: "http" | "https"): number =>
  authority.port ?? (scheme === "http" ? 80 : 443);

/** Whether two authorities mean the same under a scheme. */
export const isSameAuthority = (one: Authority, other: Authority, scheme: "http" | "https"): boolean =>
  one.host === other.host && effectivePort(one, scheme) === effectivePort(other, scheme);

export const formatAuthority = (authority: Authority): string =>
  authority.port === undefined ? authority.host : `${authority.host}:${authority.port}`;

const AUTHORITY = /^(?:((?:[A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+\.?)|(\[[0-9A-Fa-f:.]+\]))(?::([0-9]*))?$/;

const invalid = (problem: string): ParsedAuthority => ({ kind: "invalid", problem });

const normalName = (text: string): string | undefined => {
  const name = (text.endsWith(".") ? text.slice(0, -1) : text).toLowerCase();
  if (name.length > MAX_NAME) return undefined;
  return !ENDS_IN_NUMBER.test(name) || IPV4_ADDRESS.test(name) ? name : undefined;
};

/** Some parsers read octal and hexadecimal numbers, and fewer than four of them (https://url.spec.whatwg.org/#ends-in-a-number-checker). */
const ENDS_IN_NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;
const IPV4_ADDRESS = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;

const normalIpv6 = (text: string): string | undefined => URL.parse(`http://${text}/`)?.hostname;
