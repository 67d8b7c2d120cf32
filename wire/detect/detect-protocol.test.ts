import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Detected, detectProtocol, MAX_DETECTED_BYTES } from "./detect-protocol.ts";

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");
const kindOf = (text: string): Detected["kind"] => detectProtocol(bytesOf(text)).kind;

const CLIENT_HELLO = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const CASES: readonly (readonly [title: string, text: string, kind: Detected["kind"]])[] = [
  ["HTTP/2 preface (RFC 9113 section 3.4)", `${PREFACE}\0\0\0\x04`, "http2"],
  ["HTTP/2 preface alone", PREFACE, "http2"],
  ["a request line", "GET / HTTP/1.1\r\n", "http1"],
  ["its first characters", "GET /", "http1"],
  ["OPTIONS *", "OPTIONS * HTTP/1.1\r\n", "http1"],
  ["CONNECT to an address", "CONNECT [::1]:80 HTTP/1.1\r\n", "http1"],
  ["absolute-form", "POST http://a/ HTTP/1.1\r\n", "http1"],
  ["a method that begins another", "PROPFIND /", "http1"],
  ["ClientHello (RFC 8446 section 5.1)", CLIENT_HELLO, "tls"],
  ["ClientHello of TLS 1.3 in a record of 3.3", "\x16\x03\x03\x00\x05\x01", "tls"],
  ["ServerHello", "\x16\x03\x03\x00\x05\x02", "opaque"],
  ["alert", "\x15\x03\x03\x00\x02\x02", "opaque"],
  ["SSL 2", "\x80\x2e\x01\x00\x02", "opaque"],
  ["record of 2.0", "\x16\x02", "opaque"],
  ["record of 3.5", "\x16\x03\x05", "opaque"],
  ["empty record", "\x16\x03\x01\x00\x00", "opaque"],
  ["another preface", "PRI * HTTP/2.1", "opaque"],
  ["PRI with a path", "PRI /", "opaque"],
  ["lower-case method", "get / HTTP/1.1\r\n", "opaque"],
  ["an empty line first", "\r\nGET / HTTP/1.1\r\n", "opaque"],
  ["two spaces", "GET  /", "opaque"],
  ["a line without target", "GET \r\n", "opaque"],
  ["Redis", "*1\r\n$4\r\nPING\r\n", "opaque"],
  ["Redis by hand", "GET key\r\n", "opaque"],
  ["SMTP", "EHLO a\r\n", "opaque"],
  ["SSH", "SSH-2.0-OpenSSH_9\r\n", "opaque"],
  ["PostgreSQL SSLRequest", "\0\0\0\x08\x04\xd2\x16\x2f", "opaque"],
  ["MongoDB", "\x3a\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0", "opaque"],
  ["Kafka", "\0\0\0\x23\0\x12\0\x03", "opaque"],
  ["PROXY protocol", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", "opaque"],
  ["nothing", "", "need-more"],
  ["half a method", "DELE", "need-more"],
  ["a method", "DELETE ", "need-more"],
  ["a letter of many", "P", "need-more"],
  ["half a preface", "PRI * HTTP/2.0\r\n\r\nSM", "need-more"],
  ["half a record header", "\x16\x03\x01\x02", "need-more"],
];

test.each(CASES)("%s", (_, text, kind) => {
  expect(kindOf(text)).toBe(kind);
});

test.each(CASES)("%s: a prefix needs more, or says the same as the whole", (_, text, kind) => {
  for (let length = 0; length < text.length; length += 1)
    expect(["need-more", kind]).toContain(kindOf(text.slice(0, length)));
});

test("an answer never changes with more bytes, and comes after a few of them", () => {
  const start = fc.constantFrom(...CASES.map(([, text]) => text), "P", "PR", "PUT ", "\x16", "\x16\x03");
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 40 }), (text, more) => {
      const all = Buffer.concat([bytesOf(text), more]);
      const whole = detectProtocol(all).kind;
      for (let length = 0; length < all.length; length += 1)
        expect(["need-more", whole]).toContain(detectProtocol(all.subarray(0, length)).kind);
      if (all.length >= MAX_DETECTED_BYTES) expect(whole).not.toBe("need-more");
    }),
  );
});
