import type { KeyObject } from "node:crypto";

import { err, ok, type Result } from "#mesh/result.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

import { type Credentials, credentialsOf } from "../verify/credentials.ts";
import { type Refusal, refuse } from "../verify/refusal.ts";
import { verifySvid } from "../verify/verify-svid.ts";
import { formatTime } from "../x509/format-time.ts";
import { formatCertificates, formatPem, parsePem } from "../x509/pem.ts";
import { CLOCK_SKEW_MS } from "./authority.ts";

/** What was asked of a CA, and what its answer is measured by. */
export interface ExpectedIssue {
  readonly id: SpiffeId;
  readonly key: KeyObject;
  readonly lifetimeMs: number;
  /** Of the identity's trust domain. */
  readonly bundle: TrustBundle;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The answer of a CA: PEM of the leaf, of each CA above it, and last of all roots (`cert_chain` of Istio's CA API). */
export const formatIssuedChain = (chain: readonly Uint8Array[], bundle: TrustBundle): readonly string[] => [
  ...chain.map((der) => formatPem("CERTIFICATE", der)),
  formatCertificates(bundle.roots),
];

/**
 * Checks the answer of a CA before it replaces credentials that work: the identity and the key that were asked for, a
 * lifetime that is not longer and has begun, and a chain to a root of the bundle. The roots in the answer are not trusted.
 * @returns credentials with the roots left out; or why the answer is refused
 */
export const checkIssuedChain = (answer: readonly string[], expected: ExpectedIssue): Result<Credentials, Refusal> => {
  const { id, key, lifetimeMs, bundle, now } = expected;
  const certificates = parsePem("CERTIFICATE", answer.slice(0, -1).join("\n"));
  if (!certificates.ok) return refuse("malformed-certificate", `the CA's answer for ${id}: ${certificates.error}`);
  const verified = verifySvid(certificates.value, bundle, now);
  if (!verified.ok) {
    return err({ ...verified.error, message: `the CA's certificate for ${id}: ${verified.error.message}` });
  }
  const { id: issuedId, notAfter } = verified.value;
  if (issuedId !== id) return refuse("unexpected-identity", `asked the CA for ${id}, got ${issuedId}`);
  if (notAfter > now + lifetimeMs + CLOCK_SKEW_MS) {
    const asked = formatTime(now + lifetimeMs);
    return refuse(
      "wrong-lifetime",
      `the CA's certificate for ${id} ends at ${formatTime(notAfter)}, asked was ${asked}`,
    );
  }
  const credentials = credentialsOf(key, certificates.value);
  return credentials.ok ? ok(credentials.value) : credentials;
};
