/** The bounds of one message. Each has its own reason in {@link Http1Error}. */
export interface Http1Limits {
  /** Request or status line, with its CRLF. */
  readonly startLineBytes: number;
  /** Start line, fields and the empty line after them. */
  readonly headBytes: number;
  /** Field lines of a head, and again of a trailer section. */
  readonly fields: number;
  /** All chunk extensions of one message together: each chunk could bring some. */
  readonly chunkExtensionBytes: number;
  /** Trailer fields and the empty line after them. */
  readonly trailerBytes: number;
  /** Empty lines before a request line. */
  readonly emptyLines: number;
  /** 1xx responses to one request. */
  readonly informationalResponses: number;
}

export const DEFAULT_HTTP1_LIMITS: Http1Limits = {
  // RFC 9112 section 3 asks for 8000 at least.
  startLineBytes: 8 * 1024,
  // The same as for HTTP/2. Node's 16 KiB is too small for some cookies, Envoy's 60 KiB is more than anybody was seen to need.
  headBytes: 32 * 1024,
  // As Envoy; over HTTP/2 the same.
  fields: 100,
  // As Node. Nobody uses extensions; without a bound they are free bytes beside the body (CVE-2023-39326).
  chunkExtensionBytes: 16 * 1024,
  trailerBytes: 8 * 1024,
  // RFC 9112 section 2.2 asks for one, which old clients send after a body; some send it twice.
  emptyLines: 4,
  // 100, 102 and a few 103 are what servers send; a storm of them keeps a client waiting for nothing.
  informationalResponses: 16,
};
