import type { TrustDomain } from "#mesh/spiffe-id.ts";

/** What is true of the whole mesh, and no object says. */
export interface MeshContext {
  readonly trustDomain: TrustDomain;
  readonly cluster: string;
  /** Policies in this namespace concern every namespace. */
  readonly rootNamespace: string;
  /**
   * Whether a route may send requests to another namespace only where a ReferenceGrant there permits it. By default it may:
   * every pod may call every Service anyway, and GEP-1294 asks for none.
   */
  readonly areReferenceGrantsRequired?: boolean;
}

/** There is one network: every pod reaches every other by its address. */
export const NETWORK = "";
