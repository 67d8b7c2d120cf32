import type { HeadFacts } from "./head-facts.ts";
import { Http1Error, quote } from "./http1-error.ts";
import type { HttpVersion } from "./http-version.ts";

/** How the length of a message's content is known (RFC 9112 section 6.3). */
export type Framing =
  | { readonly kind: "none" }
  /** @see RFC 9112 section 6.2 */
  | { readonly kind: "length"; readonly bytes: number }
  /** @see RFC 9112 section 7.1 */
  | { readonly kind: "chunked" }
  /** Responses only: it ends with the connection, so nobody can tell its end from an abort. */
  | { readonly kind: "until-close" }
  /** After 101, or 2xx to CONNECT: what follows is not HTTP/1 any more. */
  | { readonly kind: "tunnel" };

export const NO_CONTENT: Framing = { kind: "none" };
export const CHUNKED: Framing = { kind: "chunked" };
export const UNTIL_CLOSE: Framing = { kind: "until-close" };
export const TUNNEL: Framing = { kind: "tunnel" };

/** A request has content only if it says so, whatever its method. */
export const requestFraming = (facts: HeadFacts, method: string, version: HttpVersion): Framing => {
  const framing = declaredFraming(facts, version) ?? NO_CONTENT;
  if (method === "CONNECT" && hasContent(framing))
    throw new Http1Error("content-not-allowed", "CONNECT has content, but it cannot have any (RFC 9110 section 9.3.6)");
  return framing;
};

/** The rules that come before what the fields say depend on the request's method and on the status. */
export const responseFraming = (
  facts: HeadFacts,
  status: number,
  requestMethod: string,
  version: HttpVersion,
): Framing => {
  const declared = declaredFraming(facts, version);
  if (status === 101 || (requestMethod === "CONNECT" && status >= 200 && status < 300)) return TUNNEL;
  if (status < 200 && declared !== undefined && hasContent(declared))
    throw new Http1Error("content-not-allowed", `response ${status} announces content (RFC 9112 section 6.3)`);
  if (requestMethod === "HEAD" || isBodiless(status)) return NO_CONTENT;
  return declared ?? UNTIL_CLOSE;
};

/** 1xx, 204 and 304 end with their head, whatever their fields say (RFC 9112 section 6.3). */
export const isBodiless = (status: number): boolean => status < 200 || status === 204 || status === 304;

export const hasContent = (framing: Framing): boolean =>
  framing.kind === "length" ? framing.bytes > 0 : framing.kind !== "none";

/** Which field says the framing in another form than the one we write, if any: `03`, `Chunked`. */
export const unusualFraming = (
  framing: Framing,
  { contentLength, transferEncoding }: HeadFacts,
): "content-length" | "transfer-encoding" | undefined => {
  if (framing.kind === "length" && typeof contentLength !== "number") return "content-length";
  if (framing.kind === "chunked" && transferEncoding !== "chunked") return "transfer-encoding";
  return undefined;
};

/** What Content-Length and Transfer-Encoding say together. Whatever two parsers could read differently is an error. */
const declaredFraming = (facts: HeadFacts, version: HttpVersion): Framing | undefined => {
  const { contentLength, transferEncoding } = facts;
  if (transferEncoding !== undefined) {
    if (version === "1.0")
      throw new Http1Error(
        "transfer-encoding-on-http10",
        "Transfer-Encoding in an HTTP/1.0 message makes its framing faulty (RFC 9112 section 6.1)",
      );
    if (contentLength !== undefined)
      throw new Http1Error(
        "length-and-transfer-encoding",
        "Content-Length and Transfer-Encoding in one message: request smuggling (RFC 9112 section 6.3)",
      );
    checkTransferEncoding(transferEncoding);
    return CHUNKED;
  }
  if (contentLength === undefined) return undefined;
  return {
    kind: "length",
    bytes: typeof contentLength === "number" ? contentLength : parseContentLength(contentLength),
  };
};

/** `chunked` alone is spoken; a known coding before it is one we do not have (RFC 9112 section 6.1). */
const checkTransferEncoding = (value: string): void => {
  if (value === "chunked" || value.toLowerCase() === "chunked") return;
  if (/^(?:(?:x-)?(?:gzip|compress)|deflate)[ \t]*,[ \t]*chunked$/i.test(value))
    throw new Http1Error(
      "unsupported-transfer-coding",
      `transfer coding ${quote(value)} is not supported, only chunked`,
    );
  throw new Http1Error(
    "bad-transfer-encoding",
    `Transfer-Encoding is ${quote(value)}, not "chunked" (RFC 9112 section 6.1)`,
  );
};

/** `Content-Length = 1*DIGIT`, no list even of equal numbers, and no more than can be counted. */
export const parseContentLength = (value: string): number => {
  const bytes = /^[0-9]+$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new Http1Error("bad-content-length", `Content-Length is ${quote(value)} (RFC 9110 section 8.6)`);
};
