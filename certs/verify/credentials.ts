import type { KeyObject } from "node:crypto";

import { ok, type Result } from "#mesh/result.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";

import { exportPublicKey, importPrivateKey } from "../x509/key-pair.ts";
import { inspectLeaf } from "./leaf-inspection.ts";
import { type Refusal, refuse } from "./refusal.ts";

/** A key, and the certificates that say whose it is: what one side of a connection presents. */
export interface Credentials {
  readonly id: SpiffeId;
  readonly key: KeyObject;
  /** DER, leaf first, then the CAs up to the root; the root is left out. */
  readonly chain: readonly Uint8Array[];
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

/**
 * Credentials from a key (PKCS#8, DER) and a chain that were received from whoever verified them. Only what would break
 * every handshake is looked at: that the leaf is one, and that the key is its own.
 */
export const credentialsFrom = (pkcs8: Uint8Array, chain: readonly Uint8Array[]): Result<Credentials, Refusal> => {
  const key = importPrivateKey(pkcs8);
  return key.ok ? credentialsOf(key.value, chain) : refuse("wrong-key", key.error);
};

/** As {@link credentialsFrom}, for a key of this process. */
export const credentialsOf = (key: KeyObject, chain: readonly Uint8Array[]): Result<Credentials, Refusal> => {
  const [leafDer] = chain;
  if (!leafDer) return refuse("no-certificate", "the chain is empty");
  const leaf = inspectLeaf(leafDer);
  if (!leaf.ok) return leaf;
  const { id, notAfter, facts } = leaf.value;
  return Buffer.compare(exportPublicKey(key), facts.publicKey) === 0
    ? ok({ id, key, chain, notAfter })
    : refuse("wrong-key", `the certificate of ${id} is for another key`);
};
