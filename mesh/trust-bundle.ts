import type { TrustDomain } from "./spiffe-id.ts";

/** The root certificates that verify the identities of one trust domain; several while a root is being rotated. */
export interface TrustBundle {
  readonly trustDomain: TrustDomain;
  /** DER. Never empty. */
  readonly roots: readonly Uint8Array[];
}
