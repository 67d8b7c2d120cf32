import { err, type Result } from "#mesh/result.ts";

/** Why a peer, or a certificate, is not taken. */
export interface Refusal {
  /** Goes into metrics: one of a small, closed set, never text that a peer chose. */
  readonly reason: RefusalReason;
  /** For a person; may quote what a peer claimed. */
  readonly message: string;
}

export type RefusalReason =
  // The leaf, whoever signed it.
  | "no-certificate"
  | "malformed-certificate"
  | "no-uri-san"
  | "several-uri-sans"
  | "invalid-spiffe-id"
  | "san-not-critical"
  | "ca-certificate"
  | "wrong-key-usage"
  | "wrong-purpose"
  | "unsupported-extension"
  | "weak-algorithm"
  // The path from the leaf to a root.
  | "certificate-expired"
  | "certificate-not-yet-valid"
  | "untrusted-issuer"
  | "invalid-chain"
  // What the identity is to us.
  | "foreign-trust-domain"
  | "unexpected-identity"
  // What a CA answered.
  | "wrong-key"
  | "wrong-lifetime"
  // The connection.
  | "no-alpn"
  | "session-resumed"
  | "not-tls"
  | "protocol-version"
  | "handshake-timeout"
  | "handshake-failed"
  | "connection-closed";

export const refusal = (reason: RefusalReason, message: string): Refusal => ({ reason, message });

/** A refusal as the outcome of an operation. */
export const refuse = (reason: RefusalReason, message: string): Result<never, Refusal> => err({ reason, message });

/** How a refusal leaves a callback of `node:tls` that must answer with an Error. */
export class PeerRefusedError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.name = "PeerRefusedError";
    this.refusal = refusal;
  }
}
