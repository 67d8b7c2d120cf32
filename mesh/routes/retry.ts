import type { RouteRetry } from "./route.ts";

/** How an attempt ended, as far as retrying asks. */
export type AttemptEnd =
  | { readonly kind: "response"; readonly status: number }
  /** Refused, reset, cut, or over its own time. */
  | { readonly kind: "connection-error" };

/**
 * Whether a route wants another attempt. Errors of the connection are retried wherever there is a retry stanza, responses only
 * with a status that it lists (GEP-1731).
 * @param attempts made so far, the first included
 */
export const shouldRetry = (retry: RouteRetry | undefined, attempts: number, end: AttemptEnd): boolean =>
  retry !== undefined &&
  attempts <= retry.attempts &&
  (end.kind === "connection-error" || retry.codes.includes(end.status));
