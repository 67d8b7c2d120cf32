import type { Result } from "#mesh/result.ts";

import type { Leaf } from "../verify/leaf-inspection.ts";
import { PeerRefusedError, type Refusal, refusal, type RefusalReason } from "../verify/refusal.ts";
import { formatTime } from "../x509/format-time.ts";

/** What OpenSSL says of a chain, by the codes that Node gives it; others are `invalid-chain`. */
const CHAIN_REASONS: ReadonlyMap<string, RefusalReason> = new Map([
  ["CERT_HAS_EXPIRED", "certificate-expired"],
  ["CERT_NOT_YET_VALID", "certificate-not-yet-valid"],
  ["INVALID_PURPOSE", "wrong-purpose"],
  ["CERT_UNTRUSTED", "untrusted-issuer"],
  ["CERT_SIGNATURE_FAILURE", "untrusted-issuer"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "untrusted-issuer"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "untrusted-issuer"],
  ["UNABLE_TO_GET_ISSUER_CERT", "untrusted-issuer"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "untrusted-issuer"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "untrusted-issuer"],
]);

/** The codes of handshakes that failed before there was a chain to judge; others are `handshake-failed`. */
const HANDSHAKE_REASONS: ReadonlyMap<string, RefusalReason> = new Map([
  ["ERR_TLS_HANDSHAKE_TIMEOUT", "handshake-timeout"],
  ["ERR_SSL_UNSUPPORTED_PROTOCOL", "protocol-version"],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "protocol-version"],
  ["ERR_SSL_NO_APPLICATION_PROTOCOL", "no-alpn"],
  ["ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "no-alpn"],
  ["ERR_SSL_HTTP_REQUEST", "not-tls"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "not-tls"],
  ["ECONNRESET", "connection-closed"],
  ["EPIPE", "connection-closed"],
]);

/** An error of `node:tls`; OpenSSL's own have a short reason besides a message full of source lines. */
interface HandshakeError extends Error {
  readonly code?: string;
  readonly reason?: string;
}

/** Where OpenSSL has a reason but Node no code for it. */
const UNNAMED = "a weak key or signature, an unknown critical extension, or a constraint on names";

/**
 * Why OpenSSL did not accept a chain.
 * @param code `authorizationError` of a socket
 * @param leaf what our own inspection of the leaf says; it is preferred where OpenSSL is vague. Node forgets a certificate
 * that a client refused, so that it may be missing.
 * @param now milliseconds since 1970
 */
export const chainRefusal = (code: string, leaf?: Result<Leaf, Refusal>, now: number = Date.now()): Refusal => {
  const reason = CHAIN_REASONS.get(code);
  if (reason === "certificate-expired" || reason === "certificate-not-yet-valid") {
    return refusal(reason, timesMessage(reason, leaf?.ok ? leaf.value : undefined, now));
  }
  const isVague = reason === undefined || reason === "wrong-purpose";
  if (isVague && leaf && !leaf.ok) return leaf.error;
  const detail = code === "UNSPECIFIED" ? UNNAMED : code;
  return refusal(reason ?? "invalid-chain", `the certificate chain was not accepted: ${detail}`);
};

/** Who reads it has to find out which of two clocks is wrong, or why a certificate was not renewed. */
const timesMessage = (
  reason: "certificate-expired" | "certificate-not-yet-valid",
  leaf: Leaf | undefined,
  now: number,
): string => {
  const here = `here it is ${formatTime(now)}: compare the clocks of both nodes`;
  if (reason === "certificate-not-yet-valid") {
    const isOwn = leaf && now < leaf.facts.notBefore;
    return `the peer's certificate is not valid ${isOwn ? `before ${formatTime(leaf.facts.notBefore)}` : "yet"}, and ${here}`;
  }
  const isOwn = leaf && now >= leaf.notAfter;
  const times = `the peer's certificate expired${isOwn ? ` at ${formatTime(leaf.notAfter)}` : ""}, and ${here}`;
  return `${times}, and see why it was not renewed (heddle certs)`;
};

/** Why a handshake failed: for 'tlsClientError' of a server and 'error' of a client. */
export const handshakeRefusal = (error: HandshakeError): Refusal => {
  if (error instanceof PeerRefusedError) return error.refusal;
  const { code = "", reason, message } = error;
  if (CHAIN_REASONS.has(code)) return chainRefusal(code);
  return refusal(HANDSHAKE_REASONS.get(code) ?? "handshake-failed", reason ?? message);
};
