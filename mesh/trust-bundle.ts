import type { TrustDomain } from "./spiffe-id.ts";

/** The root certificates that verify the identities of one trust domain; several while a root is being rotated. */
export interface TrustBundle {
  readonly trustDomain: TrustDomain;
  /** DER. Never empty. */
  readonly roots: readonly Uint8Array[];
  /**
   * SHA-256 (lower-case hex) of roots that left in order, when nothing under them was in use any more: what is open under them may
   * go on to its end. A root that is missing and not here is distrusted.
   */
  readonly retired?: readonly string[];
}
