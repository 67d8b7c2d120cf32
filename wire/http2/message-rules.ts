import type { Field } from "../field.ts";

/**
 * The head of a request (RFC 9113 section 8.3.1). What is absent was absent on the wire: CONNECT has neither scheme nor path.
 */
export interface RequestHead {
  readonly method: string;
  readonly scheme: string | undefined;
  /** `:authority`, or Host where there is only that. */
  readonly authority: string | undefined;
  readonly path: string | undefined;
  /** Of an extended CONNECT (RFC 8441). */
  readonly protocol: string | undefined;
  /** All fields in their order, pseudo-fields first. */
  readonly section: readonly Field[];
  /** Where in the section the pseudo-fields end. */
  readonly firstRegular: number;
  readonly contentLength: number | undefined;
}

/** The head of a response, informational or final (RFC 9113 section 8.3.2). */
export interface ResponseHead {
  /** 100 to 999 but 101, which HTTP/2 has not. */
  readonly status: number;
  readonly section: readonly Field[];
  readonly firstRegular: number;
  readonly contentLength: number | undefined;
}

/**
 * A malformed message is an error of its stream, whole: no field is ever dropped (RFC 9113 section 8.1.1). What a check finds
 * is the text of that error.
 */
export type Malformed = { readonly malformed: string };

/** @param allowsExtendedConnect whether our SETTINGS say so */
export const readRequestHead = (section: readonly Field[], allowsExtendedConnect: boolean): RequestHead | Malformed => {
  let method: string | undefined;
  let scheme: string | undefined;
  let authority: string | undefined;
  let path: string | undefined;
  let protocol: string | undefined;
  let index = 0;
  for (; index < section.length; index++) {
    const { name, value } = section[index] as Field;
    if (name.charCodeAt(0) !== COLON) break;
    if (name === ":method" && method === undefined) method = value;
    else if (name === ":path" && path === undefined) path = value;
    else if (name === ":authority" && authority === undefined) authority = value;
    else if (name === ":scheme" && scheme === undefined) scheme = value;
    else if (name === ":protocol" && protocol === undefined) protocol = value;
    else if (PSEUDO_FIELDS.has(name)) return { malformed: `${name} twice` };
    else return { malformed: `pseudo-field ${printable(name)} in a request` };
  }
  if (method === undefined) return { malformed: "no :method" };
  if (!METHOD.test(method)) return { malformed: `:method ${printable(method)}` };
  if (authority !== undefined && !AUTHORITY.test(authority)) return { malformed: `:authority ${printable(authority)}` };
  const isConnect = method === "CONNECT" && protocol === undefined;
  if (protocol !== undefined && (!allowsExtendedConnect || method !== "CONNECT" || !PROTOCOL.test(protocol))) {
    return { malformed: `:protocol ${printable(protocol)}` };
  }
  if (isConnect) {
    if (scheme !== undefined || path !== undefined) return { malformed: "CONNECT with :scheme or :path" };
    if (!authority) return { malformed: "CONNECT without :authority" };
  } else {
    if (scheme === undefined || !SCHEME.test(scheme)) return { malformed: `:scheme ${printable(scheme ?? "missing")}` };
    if (path === undefined || !isPath(path, method)) return { malformed: `:path ${printable(path ?? "missing")}` };
  }
  const regular = readRegularFields(section, index);
  if (typeof regular === "string") return { malformed: regular };
  const { host } = regular;
  if (host !== undefined && authority !== undefined && !isSameAuthority(host, authority)) {
    return { malformed: `:authority ${authority} and host ${printable(host)} differ` };
  }
  if (host !== undefined && !AUTHORITY.test(host)) return { malformed: `host ${printable(host)}` };
  authority ??= host;
  if (!authority) return { malformed: "neither :authority nor host" };
  // What goes through a tunnel is no content (RFC 9110 section 9.3.6).
  const contentLength = method === "CONNECT" ? undefined : regular.contentLength;
  return { method, scheme, authority, path, protocol, section, firstRegular: index, contentLength };
};

export const readResponseHead = (section: readonly Field[]): ResponseHead | Malformed => {
  const [first] = section;
  if (first?.name !== ":status") return { malformed: "a response does not begin with :status" };
  const status = statusOf(first.value);
  if (status === undefined || status === 101) return { malformed: `:status ${printable(first.value)}` };
  const regular = readRegularFields(section, 1);
  if (typeof regular === "string") return { malformed: regular };
  return { status, section, firstRegular: 1, contentLength: regular.contentLength };
};

/** Trailers have no pseudo-fields (RFC 9113 section 8.1). @returns what is wrong, if anything */
export const checkTrailers = (section: readonly Field[]): string | undefined => {
  const regular = readRegularFields(section, 0);
  if (typeof regular === "string") return regular;
  return regular.contentLength === undefined ? undefined : "content-length in trailers";
};

interface RegularFields {
  readonly host: string | undefined;
  readonly contentLength: number | undefined;
}

/** What is wrong with the fields from an index on, or what framing and routing need of them. */
const readRegularFields = (section: readonly Field[], from: number): RegularFields | string => {
  let host: string | undefined;
  let contentLength: number | undefined;
  for (let index = from; index < section.length; index++) {
    const { name, value } = section[index] as Field;
    if (!NAME.test(name)) return `field name ${printable(name)}`;
    if (!VALUE.test(value)) return `value of ${name}`;
    switch (name) {
      case "host":
        if (host !== undefined) return "host twice";
        host = value;
        break;
      case "content-length":
        if (contentLength !== undefined) return "content-length twice";
        if (!LENGTH.test(value)) return `content-length ${printable(value)}`;
        contentLength = Number(value);
        break;
      case "te":
        if (value.toLowerCase() !== "trailers") return `te: ${printable(value)}`;
        break;
      default:
        if (CONNECTION_SPECIFIC.has(name)) return `connection-specific field ${name}`;
    }
  }
  return { host, contentLength };
};

/** Fields that speak of an HTTP/1.1 connection (RFC 9113 section 8.2.2). */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

const COLON = 0x3a;
const DIGIT_0 = 0x30;
/** Of requests. */
const PSEUDO_FIELDS: ReadonlySet<string> = new Set([":method", ":path", ":authority", ":scheme", ":protocol"]);
/** A token in lower case (RFC 9113 section 8.2.1, RFC 9110 section 5.6.2). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** No control characters but tab, no space at either end (RFC 9110 section 5.5, RFC 9113 section 8.2.1). */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
/** A token; methods have no lower case, and one that has is meant to slip past a comparison. */
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Z]+$/;
/** A token, as in the field Upgrade (RFC 8441 section 4). */
const PROTOCOL = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const SCHEME = /^https?$/;
/** No user information, no path, nothing but what hosts and ports are made of (RFC 9113 section 8.3.1). */
const AUTHORITY = /^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]*$/;
/** Visible ASCII but `#`: fragments are never sent (RFC 9113 section 8.3.1, RFC 3986 section 3.5). */
const PATH = /^\/[\x21\x22\x24-\x7e]*$/;
/** Digits that a double holds exactly. */
const LENGTH = /^[0-9]{1,15}$/;

/** Three digits, the first of them not 0 (RFC 9110 section 15). */
const statusOf = (text: string): number | undefined => {
  if (text.length !== 3) return undefined;
  const [hundreds, tens, ones] = [digitAt(text, 0), digitAt(text, 1), digitAt(text, 2)];
  const isStatus = hundreds >= 1 && hundreds <= 9 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
  return isStatus ? 100 * hundreds + 10 * tens + ones : undefined;
};

/** @returns 0 to 9 where there is a digit */
const digitAt = (text: string, at: number): number => text.charCodeAt(at) - DIGIT_0;

const isPath = (path: string, method: string): boolean => PATH.test(path) || (path === "*" && method === "OPTIONS");

/** Hosts compare without case (RFC 3986 section 3.2.2). */
const isSameAuthority = (a: string, b: string): boolean => a === b || a.toLowerCase() === b.toLowerCase();

/** For an error message: nothing that a terminal or a log would act upon, and not much of it. */
const printable = (text: string): string => JSON.stringify(text.slice(0, 64).replaceAll(/[^\x20-\x7e]/g, "?"));
