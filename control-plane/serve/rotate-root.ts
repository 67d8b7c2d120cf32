import { authorityStatus } from "#certs/issue/authority-status.ts";
import type { CertificateAuthority } from "#certs/issue/certificate-authority.ts";
import type { NodeTrust } from "#certs/issue/rotation.ts";
import { err, ok, type Result } from "#mesh/result.ts";

/** Announces a new root. @returns its fingerprint, or what the one that was announced before still waits for */
export const rotateRoot = (authority: CertificateAuthority, nodes: readonly NodeTrust[]): Result<string, string> => {
  const { rotation } = authorityStatus(authority, nodes);
  if (rotation.kind !== "announcing") return authority.rotateRoot();
  const whoIsMissing =
    rotation.waitingFor.length === 0
      ? "every node trusts it, and it signs within a minute"
      : `it signs by itself when these nodes trust it: ${rotation.waitingFor.join(", ")}`;
  return err(`a new root is announced already; ${whoIsMissing}. Another can be announced after that`);
};

/** Goes on without a node that holds an announced root back. @returns its name, or that nobody waits for it */
export const leaveBehind = (
  authority: CertificateAuthority,
  nodes: readonly NodeTrust[],
  node: string,
): Result<string, string> => {
  const { rotation } = authorityStatus(authority, nodes);
  const waitingFor = rotation.kind === "announcing" ? rotation.waitingFor : [];
  if (!waitingFor.includes(node))
    return err(`${node} holds nothing back; waited for: ${waitingFor.join(", ") || "none"}`);
  const left = authority.leaveBehind(node);
  return left.ok ? ok(node) : left;
};
