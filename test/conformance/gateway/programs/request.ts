/** What a test has a client in a pod send. */
export interface Batch {
  readonly requests: readonly Request[];
  /** So many wait for their answers at once. */
  readonly atOnce?: number;
}

/** `http:` HTTP/1.1, `h2c:` HTTP/2 with prior knowledge, `grpc:` a unary call, to the echo service unless there is a path. */
export interface Request {
  readonly url: string;
  readonly method?: string;
  /** `host` too; of HTTP/2 it is the `:authority`. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  /** How often it is sent. */
  readonly count?: number;
  /** HTTP/1.1 only: on connections that are kept for the batch. A new one for each request otherwise, as the original does. */
  readonly isKept?: boolean;
}

/** What came back: of an HTTP request, of a call, or what went wrong with the connection. */
export interface Answer {
  readonly status?: number;
  /** Names in lower case; as many values as there were lines. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly trailers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
  /** Of gRPC. */
  readonly code?: number;
  readonly details?: string;
  /** ECONNRESET and the like. */
  readonly error?: string;
}
