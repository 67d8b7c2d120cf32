import type { TrustDomain } from "#mesh/spiffe-id.ts";

/** What is true of the whole mesh, and no object says. */
export interface MeshContext {
  readonly trustDomain: TrustDomain;
  readonly cluster: string;
  /** Policies in this namespace concern every namespace. */
  readonly rootNamespace: string;
}

/** There is one network: every pod reaches every other by its address. */
export const NETWORK = "";
