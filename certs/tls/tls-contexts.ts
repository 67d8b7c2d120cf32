import { constants } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { ConnectionOptions, SecureContext, SecureContextOptions, TlsOptions } from "node:tls";

import { type SpiffeId, type TrustDomain, trustDomainOf } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

import type { Credentials } from "../verify/credentials.ts";
import { exportPrivateKey } from "../x509/key-pair.ts";
import { formatCertificates, formatPem } from "../x509/pem.ts";
import { ALPN_PROTOCOL } from "./peer-check.ts";
import { identityError } from "./server-check.ts";

/** A handshake takes milliseconds; who needs longer holds a socket and means no good. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** The two suites that every HBONE peer has, the cheaper one first: the server's order decides. */
const CIPHERS = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";

/**
 * For `tls.createSecureContext` and for every `server.setSecureContext`, which forgets what it is not given again.
 *
 * TLS 1.3 only. SSL_OP_NO_TICKET on every context: a resumed session would skip the check of the peer's certificate, and
 * let in who was trusted when the ticket was made.
 * @param bundle of the trust domain whose peers are verified with this context
 */
export const secureContextOptions = ({ key, chain }: Credentials, bundle: TrustBundle): SecureContextOptions => ({
  key: formatPem("PRIVATE KEY", exportPrivateKey(key)),
  cert: formatCertificates(chain),
  // As PEM: bytes of DER are taken here without complaint and ignored.
  ca: formatCertificates(bundle.roots),
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  ciphers: CIPHERS,
  secureOptions: constants.SSL_OP_NO_TICKET,
});

/**
 * For `tls.createServer` of one workload. The certificate is the listener's: there is no callback that SNI could steer.
 *
 * The server takes any client into 'secureConnection', or the reason for a refusal would be lost: the first thing to run
 * there is `verifyClient`, and what it refuses must be destroyed before a byte is read or written. In 'tlsClientError' the
 * socket must be destroyed too: Node reports a handshake that takes too long and leaves it open.
 */
export const serverOptions = (
  credentials: Credentials,
  bundle: TrustBundle,
  handshakeTimeoutMs: number = HANDSHAKE_TIMEOUT_MS,
): TlsOptions => ({
  ...secureContextOptions(credentials, bundle),
  ALPNProtocols: [ALPN_PROTOCOL],
  requestCert: true,
  rejectUnauthorized: false,
  handshakeTimeout: handshakeTimeoutMs,
});

/** What one workload dials with, to servers of one trust domain. Costs 0.3 ms and 25 KiB: keep it until a part changes. */
export interface ClientContext {
  readonly trustDomain: TrustDomain;
  readonly secureContext: SecureContext;
}

export const clientContext = (credentials: Credentials, bundle: TrustBundle): ClientContext => ({
  trustDomain: bundle.trustDomain,
  secureContext: createSecureContext(secureContextOptions(credentials, bundle)),
});

/**
 * For `tls.connect`, together with the socket or the address. The server must be `expected`; names play no part, and none
 * is sent. An 'error' of the socket becomes a refusal through `handshakeRefusal`.
 *
 * 'secureConnect' is not the server's consent: it judges the client's certificate later. Call `verifyServer` there, which
 * sees what `checkServerIdentity` cannot. Never pass a `session`.
 * @throws Error if the context verifies servers of another trust domain than the expected identity's
 */
export const connectOptions = (
  { trustDomain, secureContext }: ClientContext,
  expected: SpiffeId,
): ConnectionOptions => {
  if (trustDomainOf(expected) !== trustDomain) {
    throw new Error(`${expected} cannot be verified with the bundle of ${trustDomain}`);
  }
  return {
    secureContext,
    ALPNProtocols: [ALPN_PROTOCOL],
    rejectUnauthorized: true,
    servername: "",
    checkServerIdentity: (_host, { raw }) => identityError(raw, expected),
  };
};
