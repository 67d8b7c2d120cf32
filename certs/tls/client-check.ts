import type { TLSSocket } from "node:tls";

import { err, ok, type Result } from "#mesh/result.ts";
import { type SpiffeId, type TrustDomain, trustDomainOf } from "#mesh/spiffe-id.ts";

import { inspectLeaf } from "../verify/leaf-inspection.ts";
import { type Refusal, refuse } from "../verify/refusal.ts";
import { chainRefusal } from "./handshake-refusal.ts";
import { connectionProblem, peerCertificate, type VerifiedPeer } from "./peer-check.ts";

/**
 * The server's check of a client, to be run first thing in 'secureConnection' of a server made with `serverOptions`, before
 * a byte is read or written. Who is refused gets the socket destroyed and the reason counted.
 * @param trustDomain of the bundle that the server's context verifies with
 */
export const verifyClient = (socket: TLSSocket, trustDomain: TrustDomain): Result<VerifiedPeer<SpiffeId>, Refusal> => {
  const problem = connectionProblem(socket);
  if (problem) return err(problem);
  const certificate = peerCertificate(socket);
  if (!certificate) return refuse("no-certificate", "the client presented no certificate");
  const leaf = inspectLeaf(certificate);
  // Before the verdict on the chain: a stranger's root is not ours, and "unknown issuer" would say less.
  if (leaf.ok && trustDomainOf(leaf.value.id) !== trustDomain) {
    return refuse("foreign-trust-domain", `the client says it is ${leaf.value.id}, which is not of ${trustDomain}`);
  }
  if (!socket.authorized) return err(chainRefusal(authorizationCode(socket), leaf));
  return leaf.ok ? ok({ id: leaf.value.id, notAfter: leaf.value.notAfter }) : leaf;
};

/** Declared as an Error; for the server side of a connection it is the code. */
const authorizationCode = ({ authorizationError }: TLSSocket): string => String(authorizationError);
