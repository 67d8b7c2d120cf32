import type { TLSSocket } from "node:tls";

import { type Refusal, refusal } from "../verify/refusal.ts";

/** HBONE is HTTP/2. */
export const ALPN_PROTOCOL = "h2";

/** Who is at the other end of a connection, proven. */
export interface VerifiedPeer<Id> {
  readonly id: Id;
  /** Milliseconds since 1970. TLS looks at it at the handshake only: close the connection by then. */
  readonly notAfter: number;
}

/** The DER of the leaf that the peer of a finished handshake presented. */
export const peerCertificate = (socket: TLSSocket): Uint8Array | undefined => socket.getPeerX509Certificate()?.raw;

/** What is wrong with a finished handshake, whoever the peer is. */
export const connectionProblem = (socket: TLSSocket): Refusal | undefined => {
  if (socket.isSessionReused())
    return refusal("session-resumed", "the session was resumed without a certificate check");
  // OpenSSL refuses an offer without h2, but not the absence of an offer.
  return socket.alpnProtocol === ALPN_PROTOCOL
    ? undefined
    : refusal("no-alpn", `the peer did not agree on ALPN protocol ${ALPN_PROTOCOL}`);
};
