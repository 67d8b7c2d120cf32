import type { TLSSocket } from "node:tls";

import { err, ok, type Result } from "#mesh/result.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";

import { inspectLeaf, type Leaf } from "../verify/leaf-inspection.ts";
import { PeerRefusedError, type Refusal, refuse } from "../verify/refusal.ts";
import { chainRefusal } from "./handshake-refusal.ts";
import { connectionProblem, peerCertificate, type VerifiedPeer } from "./peer-check.ts";

/**
 * The client's check of a server, to be run in 'secureConnect' of a connection made with `connectOptions`, before a byte is
 * written. Who is refused gets the socket destroyed and the reason counted.
 */
export const verifyServer = (socket: TLSSocket, expected: SpiffeId): Result<VerifiedPeer<SpiffeId>, Refusal> => {
  const problem = connectionProblem(socket);
  if (problem) return err(problem);
  const certificate = peerCertificate(socket);
  if (!certificate) return refuse("no-certificate", "the server presented no certificate");
  const leaf = checkIdentity(certificate, expected);
  if (!socket.authorized) return err(chainRefusal(String(socket.authorizationError), leaf));
  return leaf.ok ? ok({ id: leaf.value.id, notAfter: leaf.value.notAfter }) : leaf;
};

/**
 * Stands in for Node's own `checkServerIdentity`, which knows names but no URIs. Called within the handshake, before
 * anything that was written is sent.
 * @returns an error to destroy the connection with
 */
export const identityError = (certificate: Uint8Array, expected: SpiffeId): Error | undefined => {
  const leaf = checkIdentity(certificate, expected);
  return leaf.ok ? undefined : new PeerRefusedError(leaf.error);
};

const checkIdentity = (certificate: Uint8Array, expected: SpiffeId): Result<Leaf, Refusal> => {
  const leaf = inspectLeaf(certificate);
  if (!leaf.ok || leaf.value.id === expected) return leaf;
  return refuse("unexpected-identity", `expected ${expected}, the server is ${leaf.value.id}`);
};
