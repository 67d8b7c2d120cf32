/** What the first bytes of a connection say it speaks. */
export type Detected =
  /** The bytes so far may become more than one of them: call again with all bytes when there are more. */
  | { readonly kind: "need-more" }
  | { readonly kind: "http1" }
  /** Prior knowledge: the client preface (RFC 9113 section 3.4). */
  | { readonly kind: "http2" }
  /** A ClientHello; it is not looked into. */
  | { readonly kind: "tls" }
  | { readonly kind: "opaque" };

/** No call needs more bytes than these: they hold the longest method that is looked for and the first byte of a target. */
export const MAX_DETECTED_BYTES = 24;

/**
 * Tells the protocol from the first bytes alone:
 *
 *     HTTP/2    "PRI * HTTP/2.0" CRLF CRLF "SM" CRLF CRLF                       RFC 9113 section 3.4
 *     TLS       0x16, 0x03, minor version <= 4, length (2 bytes, > 0), 0x01     RFC 8446 sections 4 and 5.1
 *     HTTP/1    method SP first character of a target                           RFC 9112 section 3
 *
 * Only known methods count, in capitals, and only the beginnings a target can have: other protocols of lines (SMTP, Redis, IRC)
 * begin with words and blanks, too. Whether the request line is good is for the
 * HTTP/1 reader to say, with a proper answer. Bytes that start like one of them and then differ are opaque.
 *
 * It keeps nothing, answers in constant time, and the same however the bytes come. Protocols in which the server speaks first
 * never bring a byte: the caller has a timeout, and takes its end for "opaque".
 *
 * @param bytes everything that came so far.
 */
export const detectProtocol = (bytes: Uint8Array): Detected => {
  if (bytes.length === 0) return NEED_MORE;
  return bytes[0] === TLS_HANDSHAKE ? detectTls(bytes) : detectHttp(bytes);
};

const NEED_MORE: Detected = { kind: "need-more" };
const HTTP1: Detected = { kind: "http1" };
const HTTP2: Detected = { kind: "http2" };
const TLS: Detected = { kind: "tls" };
const OPAQUE: Detected = { kind: "opaque" };

const TLS_HANDSHAKE = 0x16;
const TLS_CLIENT_HELLO = 0x01;

const HTTP2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** The methods that clients are seen to use; a codec knows more, and a declared port is not detected at all. */
const METHODS: readonly string[] =
  "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY COPY LOCK MKCOL MOVE PROPFIND PROPPATCH REPORT SEARCH UNLOCK".split(
    " ",
  );

const detectTls = (bytes: Uint8Array): Detected => {
  const [, major, minor, high, low, type] = bytes;
  const isWrong =
    (major !== undefined && major !== 3) ||
    (minor !== undefined && minor > 4) ||
    (low !== undefined && high === 0 && low === 0) ||
    (type !== undefined && type !== TLS_CLIENT_HELLO);
  if (isWrong) return OPAQUE;
  return type === undefined ? NEED_MORE : TLS;
};

const detectHttp = (bytes: Uint8Array): Detected => {
  const text = String.fromCharCode(...bytes.subarray(0, MAX_DETECTED_BYTES));
  if (text.startsWith(HTTP2_PREFACE)) return HTTP2;
  if (HTTP2_PREFACE.startsWith(text)) return NEED_MORE;
  const space = text.indexOf(" ");
  if (space < 0) return METHODS.some((method) => method.startsWith(text)) ? NEED_MORE : OPAQUE;
  const method = text.slice(0, space);
  if (!METHODS.includes(method)) return OPAQUE;
  if (text.length === space + 1) return NEED_MORE;
  const isTarget = method === "CONNECT" ? /^[A-Za-z0-9[]/ : /^[/*Hh]/;
  return isTarget.test(text.slice(space + 1)) ? HTTP1 : OPAQUE;
};
