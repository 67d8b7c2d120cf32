/**
 * What can be wrong with a message, and the status with which a server answers it. A response that is wrong is always 502 for
 * the client that waits for it.
 */
const STATUS = {
  // start line
  "bad-request-line": 400,
  "bad-method": 400,
  "unknown-method": 501,
  "connect-not-allowed": 405,
  "bad-target": 400,
  "bad-version": 400,
  "unsupported-version": 505,
  "http2-preface": 400,
  "bad-status-line": 502,
  // lines and fields
  "bad-line-end": 400,
  "control-character": 400,
  "bad-field-line": 400,
  "bad-field-name": 400,
  "underscore-in-field-name": 400,
  "bad-field-value": 400,
  "bad-connection-field": 400,
  "bad-host": 400,
  "missing-host": 400,
  "repeated-host": 400,
  "host-differs-from-target": 400,
  "unknown-expectation": 417,
  // framing
  "bad-content-length": 400,
  "repeated-content-length": 400,
  "bad-transfer-encoding": 400,
  "unsupported-transfer-coding": 501,
  "length-and-transfer-encoding": 400,
  "transfer-encoding-on-http10": 400,
  "content-not-allowed": 400,
  "bad-chunk": 400,
  "forbidden-trailer": 400,
  "bytes-after-last-message": 400,
  truncated: 400,
  // limits
  "start-line-too-long": 414,
  "head-too-large": 431,
  "too-many-fields": 431,
  "chunk-extensions-too-large": 413,
  "trailers-too-large": 431,
  "too-many-empty-lines": 400,
  "too-many-informational-responses": 502,
  // the exchange
  "unsolicited-response": 502,
  "unasked-switch": 502,
  // what we were asked to write
  "length-mismatch": 500,
  "bad-order": 500,
  "hop-by-hop-field": 500,
} as const satisfies Readonly<Record<string, number>>;

/** Closed set of reasons: the label of the metric that counts refused messages. */
export type Http1Reason = keyof typeof STATUS;

/**
 * A message that breaks a rule. Nothing on its connection can be trusted after it: answer {@link status} if the answer has not
 * begun (server), or let the client have 502 (client), and close.
 */
export class Http1Error extends Error {
  readonly reason: Http1Reason;
  readonly status: number;

  /** @param message says what broke which rule. */
  constructor(reason: Http1Reason, message: string, status: number = STATUS[reason]) {
    super(message);
    this.name = "Http1Error";
    this.reason = reason;
    this.status = status;
  }

  /** The same fault, found in a response: the client is not to blame. */
  asBadGateway(): Http1Error {
    return this.status === 502 ? this : new Http1Error(this.reason, this.message, 502);
  }
}

/** Text of the peer's, cut and escaped, for a message. */
export const quote = (text: string): string => JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
