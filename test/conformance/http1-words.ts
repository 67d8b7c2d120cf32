import { bytesOf } from "#wire/http1/testing/record.ts";

/** What HTTP/1 is made of, and what was used to smuggle with it. */
export const HTTP1_WORDS: readonly Uint8Array[] = [
  ...'GET |POST |HEAD |PUT |OPTIONS |CONNECT |/|*|http://a/|%2e|%00|#|?| HTTP/1.1| HTTP/1.0|Host: a|Host: b|:|: |,|;|=|"'.split(
    "|",
  ),
  ..."Content-Length: 3|Content-Length: |Transfer-Encoding: chunked|Transfer-Encoding: |chunked|identity|gzip, ".split(
    "|",
  ),
  ..."Connection: close|Connection: keep-alive|Connection: upgrade|Upgrade: websocket|Expect: 100-continue|TE: trailers".split(
    "|",
  ),
  ...'Trailer: X|X: y|X_y: z|abc|0|3|5|f|\r\n|\r\n\r\n|\n|\r|\n\n|\t| |\0|\x0b|\x85|\xff|3\r\nabc\r\n|0\r\n\r\n|;a=b|;a="b"'.split(
    "|",
  ),
].map(bytesOf);
