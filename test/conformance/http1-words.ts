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

/** The same of answers. */
export const HTTP1_RESPONSE_WORDS: readonly Uint8Array[] = [
  ..."HTTP/1.1 |HTTP/1.0 |200 OK|100 Continue|103 |204 |304 |101 |HTTP/1.1 200 OK\r\n|HTTP/1.1 100 Continue\r\n\r\n|: |:|,|;|=".split(
    "|",
  ),
  ..."Content-Length: 3|Content-Length: |Transfer-Encoding: chunked|Transfer-Encoding: |chunked|identity|gzip, ".split(
    "|",
  ),
  ..."Connection: close|Connection: keep-alive|Connection: upgrade|Upgrade: websocket|Keep-Alive: timeout=5|Trailer: X".split(
    "|",
  ),
  ..."X: y|X_y: z|Content-Type: a/b|Location: /|Set-Cookie: a=b|Date: x|abc|0|3|5|f|\r\n|\r\n\r\n|\n|\r|\n\n|\t| |\0|\x0b|\x85|\xff".split(
    "|",
  ),
  ...'3\r\nabc\r\n|0\r\n\r\n|;a=b|;a="b"|\r\n a|\r\n\r\nHTTP/1.1 200 OK\r\n'.split("|"),
].map(bytesOf);
