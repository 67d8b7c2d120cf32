import { Http1Error, quote } from "./http1-error.ts";
import { word } from "./word.ts";

/** The versions that are spoken; others are refused. */
export type HttpVersion = "1.0" | "1.1";

/** What nearly every message has for a version. */
export const HTTP_1_1 = word("HTTP/1.1");

/** `HTTP-version = "HTTP/" DIGIT "." DIGIT`, case-sensitive (RFC 9112 section 2.3). A version 1.2 was never defined. */
export const parseHttpVersion = (text: string): HttpVersion => {
  if (text === "HTTP/1.1") return "1.1";
  if (text === "HTTP/1.0") return "1.0";
  if (/^HTTP\/[02-9]\.[0-9]$/.test(text))
    throw new Http1Error("unsupported-version", `${text} is not spoken here, only HTTP/1.1 and HTTP/1.0`);
  throw new Http1Error("bad-version", `${quote(text)} is no version of HTTP/1 (RFC 9112 section 2.3)`);
};
