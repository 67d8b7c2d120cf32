import type { Field } from "../field.ts";
import { consistsOf, IN_LINE, IN_TARGET, isFieldValue, isNamed, isToken } from "./characters.ts";
import { encodeLines } from "./encode-lines.ts";
import { type Framing, isBodiless, parseContentLength } from "./framing.ts";
import { field, type RequestHead, type ResponseHead } from "./head.ts";
import { isHopByHop } from "./hop-by-hop.ts";
import { Http1Error, quote } from "./http1-error.ts";

/** What a head says about the connection it is written to. */
export type ConnectionControl =
  /** Nothing: with HTTP/1.1 the connection stays. */
  | { readonly kind: "default" }
  | { readonly kind: "close" }
  /** To a peer of HTTP/1.0, for which close is the default. */
  | { readonly kind: "keep-alive" }
  /** A request offers these protocols, a 101 switches to them. */
  | { readonly kind: "upgrade"; readonly protocols: readonly string[] };

export const DEFAULT_CONNECTION: ConnectionControl = { kind: "default" };

/**
 * Writes a request's head; fields stay in order, case and bytes. Framing fields are set from `framing`: Content-Length where one
 * stood, else after the others. All other fields must be end to end ones ({@link endToEndFields}).
 * @throws Http1Error for what would not be read again as the same head: heads come from HTTP/2, filters and configuration, too.
 */
export const encodeRequestHead = (head: RequestHead, control: ConnectionControl = DEFAULT_CONNECTION): Uint8Array => {
  const { method, target, fields, framing } = head;
  if (!isToken(method)) throw new Http1Error("bad-method", `${quote(method)} is no token`);
  if (target === "" || !consistsOf(target, IN_TARGET))
    throw new Http1Error("bad-target", `${quote(target)} cannot stand in a request line`);
  if (framing.kind === "until-close" || framing.kind === "tunnel")
    throw new Http1Error("bad-order", `a request cannot have framing "${framing.kind}"`);
  let hosts = 0;
  for (const { name } of fields) if (isNamed(name, "host")) hosts += 1;
  if (hosts !== 1)
    throw new Http1Error(hosts === 0 ? "missing-host" : "repeated-host", `a request has ${hosts} Host fields`);
  return encodeLines(`${method} ${target} HTTP/1.1\r\n`, writtenFields(fields, framing, control, false));
};

/**
 * Writes a response's head in the same way. With framing "none" a Content-Length is kept where it tells of content that is not
 * sent (HEAD, 304), and left out where it must not be (1xx, 204; RFC 9110 section 8.6).
 */
export const encodeResponseHead = (head: ResponseHead, control: ConnectionControl = DEFAULT_CONNECTION): Uint8Array => {
  const { status, reason, fields, framing } = head;
  if (!Number.isInteger(status) || status < 100 || status > 599 || !consistsOf(reason, IN_LINE))
    throw new Http1Error("bad-status-line", `status ${status} ${quote(reason)} cannot stand in a status line`);
  const keepsLength = framing.kind === "none" && (status === 304 || !isBodiless(status));
  return encodeLines(`HTTP/1.1 ${status} ${reason}\r\n`, writtenFields(fields, framing, control, keepsLength));
};

/** Fields that are added to a head that is forwarded as it came, with the empty line that ends it. */
export const encodeAdded = (fields: readonly Field[]): Uint8Array => {
  for (const { name } of fields) if (isNamed(name, "content-length") || isHopByHop(name)) throw notEndToEnd(name);
  return encodeLines("", fields);
};

/** The fields with those of the codec's own among them. */
const writtenFields = (
  fields: readonly Field[],
  framing: Framing,
  control: ConnectionControl,
  keepsLength: boolean,
): readonly Field[] => {
  const written: Field[] = [];
  const length = framing.kind === "length" ? String(framing.bytes) : undefined;
  let hasLength = false;
  let hasTe = false;
  for (const each of fields) {
    if (isNamed(each.name, "content-length")) {
      const value = length ?? (keepsLength ? String(parseContentLength(each.value)) : undefined);
      if (value !== undefined && !hasLength) written.push(each.value === value ? each : field(each.name, value));
      hasLength = true;
    } else if (isHopByHop(each.name)) throw notEndToEnd(each.name);
    else {
      if (isNamed(each.name, "te")) hasTe = true;
      written.push(each);
    }
  }
  if (length !== undefined && !hasLength) written.push(field("Content-Length", length));
  if (framing.kind === "chunked") written.push(field("Transfer-Encoding", "chunked"));
  const options = control.kind === "default" ? [] : [control.kind];
  // TE never goes without its connection option (RFC 9110 section 10.1.4).
  if (hasTe || options.length > 0) written.push(field("Connection", (hasTe ? [...options, "TE"] : options).join(", ")));
  if (control.kind === "upgrade") written.push(field("Upgrade", upgradeValue(control.protocols)));
  return written;
};

const upgradeValue = (protocols: readonly string[]): string => {
  const value = protocols.join(", ");
  if (value !== "" && isFieldValue(value)) return value;
  throw new Http1Error("bad-field-value", `Upgrade: ${quote(value)} names no protocol`);
};

const notEndToEnd = (name: string): Http1Error =>
  new Http1Error("hop-by-hop-field", `${name} belongs to one connection and is written by the codec alone`);
