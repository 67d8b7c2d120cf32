import { type Authority, isSameAuthority, parseAuthority } from "./authority.ts";
import { consistsOf, IN_TARGET } from "./characters.ts";
import { Http1Error, quote } from "./http1-error.ts";

/**
 *     request-target = origin-form / absolute-form / authority-form / asterisk-form            RFC 9112 section 3.2
 */
export type RequestTarget =
  | { readonly kind: "origin"; readonly path: string }
  /** `path` is what the origin-form would be: with its query, "/" when empty, "*" for OPTIONS of the server. */
  | {
      readonly kind: "absolute";
      readonly scheme: "http" | "https";
      readonly authority: Authority;
      readonly authorityText: string;
      readonly path: string;
    }
  /** CONNECT, and only there; its port is always given. */
  | { readonly kind: "authority"; readonly authority: Authority }
  /** OPTIONS, and only there. */
  | { readonly kind: "asterisk" };

const ASTERISK: RequestTarget = { kind: "asterisk" };

/**
 * Which form a target has is decided by the method and the first characters, and must suit the method. The path is checked,
 * not normalised: dot segments, doubled slashes and percent-encoding stand as they came.
 */
export const parseRequestTarget = (method: string, target: string): RequestTarget => {
  if (target === "" || !consistsOf(target, IN_TARGET))
    throw badTarget(target, "has a fragment, a blank or a byte outside visible ASCII");
  if (method === "CONNECT") return parseAuthorityForm(target);
  if (target.charCodeAt(0) === SLASH) {
    checkPath(target);
    return { kind: "origin", path: target };
  }
  if (target === "*") {
    if (method !== "OPTIONS") throw badTarget(target, "is for OPTIONS alone");
    return ASTERISK;
  }
  return parseAbsoluteForm(method, target);
};

/**
 * To whom a request goes: the target's authority if it has one, else Host. One that contradicts the other is refused, and not
 * decided for the target (RFC 9112 section 3.2.2): HTTP/2 is treated in the same way.
 */
export const requestAuthority = (target: RequestTarget, host: string | undefined): Authority | undefined => {
  const fromHost = host === undefined ? undefined : checkedHost(host);
  if (target.kind === "origin" || target.kind === "asterisk") return fromHost;
  if (fromHost !== undefined && !agrees(target, fromHost))
    throw new Http1Error("host-differs-from-target", `Host ${quote(host ?? "")} is not the authority of the target`);
  return target.authority;
};

const SLASH = 0x2f;
const PERCENT = 0x25;
const QUESTION_MARK = 0x3f;

/** CONNECT clients may leave the port out of Host. */
const agrees = (target: RequestTarget & { readonly authority: Authority }, host: Authority): boolean =>
  target.kind === "absolute"
    ? isSameAuthority(target.authority, host, target.scheme)
    : target.authority.host === host.host && (host.port === undefined || host.port === target.authority.port);

const checkedHost = (host: string): Authority => {
  const parsed = parseAuthority(host);
  if (parsed.kind === "authority") return parsed.authority;
  throw new Http1Error("bad-host", `Host ${quote(host)} ${parsed.problem} (RFC 9110 section 7.2)`);
};

const parseAuthorityForm = (target: string): RequestTarget => {
  const parsed = parseAuthority(target);
  if (parsed.kind === "invalid") throw badTarget(target, `${parsed.problem}, which CONNECT needs`);
  if (parsed.authority.port === undefined) throw badTarget(target, "has no port (RFC 9110 section 9.3.6)");
  return { kind: "authority", authority: parsed.authority };
};

const parseAbsoluteForm = (method: string, target: string): RequestTarget => {
  const match = /^(https?):\/\/([^/?]*)(.*)$/i.exec(target);
  if (match === null) throw badTarget(target, "is neither a path nor an http or https URI");
  const [, scheme = "", authorityText = "", rest = ""] = match;
  const parsed = parseAuthority(authorityText);
  if (parsed.kind === "invalid") throw badTarget(target, `has an authority that ${parsed.problem}`);
  checkPath(rest);
  const path = rest === "" && method === "OPTIONS" ? "*" : rest.startsWith("/") ? rest : `/${rest}`;
  return {
    kind: "absolute",
    scheme: scheme.toLowerCase() === "https" ? "https" : "http",
    authority: parsed.authority,
    authorityText,
    path,
  };
};

/** `%` is followed by two hexadecimal digits (RFC 3986 section 2.1), and no path holds %00, which cuts it short for some. */
const checkPath = (target: string): void => {
  if (!target.includes("%")) return;
  let isQuery = false;
  for (let i = 0; i < target.length; i += 1) {
    const code = target.charCodeAt(i);
    if (code === QUESTION_MARK) isQuery = true;
    if (code !== PERCENT) continue;
    const digits = target.slice(i + 1, i + 3);
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) throw badTarget(target, "has a % without two hexadecimal digits");
    if (digits === "00" && !isQuery) throw badTarget(target, "has %00 in its path");
  }
};

const badTarget = (target: string, problem: string): Http1Error =>
  new Http1Error("bad-target", `request target ${quote(target)} ${problem} (RFC 9112 section 3.2)`);
