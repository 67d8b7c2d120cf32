import { STATUS_CODES } from "node:http";
import type { Field } from "#wire/field.ts";
import { isNamed } from "#wire/http1/characters.ts";
import { forwardedRequest, forwardedResponse } from "#wire/http1/forwarded.ts";
import { CHUNKED, type Framing, NO_CONTENT } from "#wire/http1/framing.ts";
import {
  field,
  type ReceivedRequestHead,
  type ReceivedResponseHead,
  type RequestHead,
  type ResponseHead,
} from "#wire/http1/head.ts";
import { endToEndFields, isHopByHop } from "#wire/http1/hop-by-hop.ts";
import { isTrailerName } from "#wire/http1/trailers.ts";
import type * as http2 from "#wire/http2/message-rules.ts";
import type { HeadChanges, HttpRequest, HttpResponse } from "./message.ts";

/** A request that came in HTTP/1. */
export const fromHttp1Request = (head: ReceivedRequestHead): HttpRequest => {
  const { parsedTarget: target, framing } = head;
  const isAbsolute = target.kind === "absolute";
  return {
    version: head.version,
    method: head.method,
    scheme: isAbsolute ? target.scheme : "http",
    authority: isAbsolute ? target.authorityText : (head.fields.find(({ name }) => isNamed(name, "host"))?.value ?? ""),
    target: isAbsolute ? target.path : head.target,
    fields: head.fields,
    hasContent: framing.kind === "chunked" || (framing.kind === "length" && framing.bytes > 0),
    contentLength: framing.kind === "length" ? framing.bytes : undefined,
    upgrade: head.upgrade,
    received: head,
  };
};

/** A request that came in HTTP/2; not CONNECT. */
export const fromHttp2Request = (head: http2.RequestHead, isEnd: boolean): HttpRequest => ({
  version: "2",
  method: head.method,
  scheme: head.scheme === "https" ? "https" : "http",
  authority: head.authority ?? "",
  target: head.path ?? "",
  fields: head.section.slice(head.firstRegular),
  hasContent: !isEnd,
  contentLength: head.contentLength,
  upgrade: [],
  received: undefined,
});

/** A response that came in HTTP/1. */
export const fromHttp1Response = (head: ReceivedResponseHead): HttpResponse => new Http1Response(head);

/** Its fields are made when they are asked for first. */
class Http1Response implements HttpResponse {
  readonly status: number;
  readonly isEnd: boolean;
  readonly contentLength: number | undefined;
  readonly upgrade: readonly string[];
  readonly received: ReceivedResponseHead;

  constructor(head: ReceivedResponseHead) {
    const { status, framing } = head;
    this.status = status;
    this.isEnd = framing.kind === "none" || (framing.kind === "length" && framing.bytes === 0);
    this.contentLength = framing.kind === "length" ? framing.bytes : undefined;
    this.upgrade = status === 101 ? upgradeOf(head.fields) : NO_PROTOCOLS;
    this.received = head;
  }

  get fields(): readonly Field[] {
    return this.received.fields;
  }
}

const NO_PROTOCOLS: readonly string[] = [];

/** Whether a response may have fields whose names begin with `x`, as the mesh's own do; that is known before they are made. */
export const mayHaveX = ({ received }: HttpResponse): boolean => received?.hasX ?? true;

/** A response that came in HTTP/2. */
export const fromHttp2Response = (head: http2.ResponseHead, isEnd: boolean): HttpResponse => ({
  status: head.status,
  fields: head.section.slice(head.firstRegular),
  isEnd,
  contentLength: head.contentLength,
  upgrade: [],
  received: undefined,
});

/** The head as HTTP/1 writes it; what belongs to a connection is left out, and Host is `authority`. */
export const toHttp1Request = (request: HttpRequest, changes: HeadChanges): RequestHead => {
  const { received, method, target, version } = request;
  const fields = received ? forwardedRequest(received).fields : endToEndFields(request.fields);
  // An expectation of HTTP/1.0 is none, and must not become one by our version (RFC 9110 section 10.1.1).
  const isLeftOut = (name: string): boolean => isNamed(name, "host") || (version === "1.0" && isNamed(name, "expect"));
  const rest = fields.filter(({ name }) => !isLeftOut(name));
  return {
    method,
    target,
    version: version === "1.0" ? "1.0" : "1.1",
    fields: [field("Host", request.authority), ...changed(version === "2" ? joinCookies(rest) : rest, changes)],
    framing: framingOf(request, request.hasContent),
  };
};

/** The section as HTTP/2 writes it (RFC 9113 section 8.3.1). */
export const toHttp2Request = (request: HttpRequest, { remove, add }: HeadChanges): readonly Field[] => {
  const { received, version, fields } = request;
  const own = version === "2" ? fields : endToEndFields(received ? forwardedRequest(received).fields : fields);
  const section = [
    field(":method", request.method),
    field(":scheme", request.scheme),
    field(":authority", request.authority),
    field(":path", request.target),
  ];
  for (const each of own) {
    if (!isNamed(each.name, "host") && !isIn(each, remove)) section.push(version === "2" ? each : lowerCase(each));
  }
  for (const each of add) section.push(each);
  return section;
};

export const toHttp1Response = (response: HttpResponse): ResponseHead => {
  const { received, status, contentLength, isEnd } = response;
  if (received) return forwardedResponse(received);
  const framing: Framing =
    status === 101
      ? { kind: "tunnel" }
      : isEnd && contentLength === undefined
        ? NO_CONTENT
        : framingOf(response, !isEnd);
  return {
    status,
    reason: STATUS_CODES[status] ?? "",
    version: "1.1",
    fields: endToEndFields(response.fields),
    framing,
  };
};

export const toHttp2Response = ({ status, fields, received }: HttpResponse): readonly Field[] => {
  const own = received ? endToEndFields(fields).map(lowerCase) : fields;
  // Where there must be none, some HTTP/2 clients take the whole response for malformed (RFC 9110 section 8.6).
  const mayHaveLength = status >= 200 && status !== 204;
  return [
    field(":status", String(status)),
    ...(mayHaveLength ? own : own.filter(({ name }) => name !== "content-length")),
  ];
};

/** Trailers as HTTP/1 writes them: without those that HTTP/2 lets pass there and HTTP/1 does not. */
export const toHttp1Trailers = (trailers: readonly Field[]): readonly Field[] =>
  trailers.every(mayTrail) ? trailers : trailers.filter(mayTrail);

const mayTrail = ({ name }: Field): boolean => isTrailerName(name) && !isHopByHop(name);

/** Trailers as HTTP/2 writes them. */
export const toHttp2Trailers = (trailers: readonly Field[]): readonly Field[] => trailers.map(lowerCase);

/** The fields without those of these names; the same where there are none. */
export const without = (fields: readonly Field[], names: ReadonlySet<string>): readonly Field[] =>
  hasNamed(fields, names) ? fields.filter(({ name }) => !names.has(name.toLowerCase())) : fields;

/** Whether any of the fields has one of these names. @param names all of which begin with `x`, as few fields do */
export const hasNamed = (fields: readonly Field[], names: ReadonlySet<string>): boolean => {
  for (const each of fields) if (isIn(each, names)) return true;
  return false;
};

const isIn = ({ name }: Field, names: ReadonlySet<string>): boolean =>
  (name.charCodeAt(0) | LOWER_CASE_BIT) === LETTER_X && names.has(name.toLowerCase());

const LOWER_CASE_BIT = 0x20;
const LETTER_X = 0x78;

const changed = (fields: readonly Field[], { remove, add }: HeadChanges): readonly Field[] => {
  const kept = without(fields, remove);
  return add.length === 0 ? kept : [...kept, ...add];
};

const framingOf = (message: { readonly contentLength: number | undefined }, hasContent: boolean): Framing => {
  if (message.contentLength !== undefined) return { kind: "length", bytes: message.contentLength };
  return hasContent ? CHUNKED : NO_CONTENT;
};

const lowerCase = (each: Field): Field => {
  const name = each.name.toLowerCase();
  return name === each.name ? each : { ...each, name };
};

/** HTTP/2 may part them, HTTP/1 may not (RFC 9113 section 8.2.3). */
const joinCookies = (fields: readonly Field[]): readonly Field[] => {
  const cookies = fields.filter(({ name }) => name === "cookie");
  if (cookies.length < 2) return fields;
  const joined = field("cookie", cookies.map(({ value }) => value).join("; "));
  return [...fields.filter(({ name }) => name !== "cookie"), joined];
};

const upgradeOf = (fields: readonly Field[]): readonly string[] =>
  fields.flatMap(({ name, value }) => (isNamed(name, "upgrade") ? value.split(",").map((each) => each.trim()) : []));
