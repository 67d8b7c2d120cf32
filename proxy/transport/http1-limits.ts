import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "#wire/http1/http1-limits.ts";
import { type RequestRules, STRICT_REQUEST_RULES } from "#wire/http1/request-rules.ts";

/** How long a peer may take, in milliseconds. */
export interface Http1Patience {
  /** At a server: from the connection's beginning to a first byte, and from a request's first byte to the end of its head. */
  readonly headMs: number;
  /** Between two pieces of content that we wait for, and while the peer takes nothing of what we send. */
  readonly contentIdleMs: number;
  /** Between two exchanges. */
  readonly keepAliveMs: number;
  /** The same at a server that drains: for a request that is on its way. */
  readonly drainMs: number;
  /** To close after our end; then the connection is destroyed. */
  readonly closeMs: number;
}

/**
 * What it means when a client ends its direction and waits for an answer: that it is gone, as to most servers and proxies (a
 * closed socket looks the same until something is written to it), or that it has nothing more to ask (RFC 9112 section 9.6).
 */
export type HalfCloseRule = "abort" | "answer";

export interface Http1ServerSettings {
  readonly rules: RequestRules;
  readonly halfClose: HalfCloseRule;
  readonly limits: Http1Limits;
  readonly patience: Http1Patience;
}

export interface Http1ClientSettings {
  readonly limits: Http1Limits;
  readonly patience: Http1Patience;
}

export const DEFAULT_HTTP1_PATIENCE: Http1Patience = {
  headMs: 10_000,
  // As Envoy's idle time of a stream.
  contentIdleMs: 300_000,
  keepAliveMs: 60_000,
  // As long as Node.js keeps a connection: whoever uses one that was idle for longer has to expect that it ends.
  drainMs: 5_000,
  closeMs: 1_000,
};

/** What the proxy allows on every HTTP/1 connection that it accepts. */
export const HTTP1_SERVER_SETTINGS: Http1ServerSettings = {
  rules: STRICT_REQUEST_RULES,
  halfClose: "abort",
  limits: DEFAULT_HTTP1_LIMITS,
  patience: DEFAULT_HTTP1_PATIENCE,
};

/** What the proxy allows on every HTTP/1 connection that it opens. How long an answer may take is the route's to say. */
export const HTTP1_CLIENT_SETTINGS: Http1ClientSettings = {
  limits: DEFAULT_HTTP1_LIMITS,
  patience: DEFAULT_HTTP1_PATIENCE,
};
