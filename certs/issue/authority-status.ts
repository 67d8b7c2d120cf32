import { X509Certificate } from "node:crypto";

import type { AuthorityCertificate, AuthorityStatus, RotationStatus } from "#mesh/admin/control-plane-status.ts";

import { formatTime } from "../x509/format-time.ts";
import type { Authority } from "./authority.ts";
import { type AuthoritySet, issuingAuthority, rootOf } from "./authority-set.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { renewalTime } from "./renewal.ts";
import { type NodeTrust, nodesWithout, type RetiringRoot, type RootId, type RotationPace } from "./rotation.ts";

const DAY_MS = 24 * 3_600_000;

/** Long enough to reach every node by hand. */
const WARN_BEFORE_MS = 60 * DAY_MS;

/** GET /certificates of the control plane: what there is, where a rotation stands, and who holds it back. */
export const authorityStatus = (authority: CertificateAuthority, nodes: readonly NodeTrust[]): AuthorityStatus => ({
  trustDomain: authority.set.trustDomain,
  roots: authority.set.roots.map((root) => describe(root, stateOf(authority.set, root.fingerprint))),
  issuing: describe(issuingAuthority(authority.set), "signing"),
  rotation: rotationStatus(authority, nodes),
});

/** What an operator should do before it hurts, one sentence each. */
export const authorityWarnings = (set: AuthoritySet, now: number): readonly string[] => {
  const root = rootOf(set, set.rotation.signing.root);
  const issuing = issuingAuthority(set);
  const issuingDue = renewalTime({ from: issuing.facts.notBefore, until: issuing.facts.notAfter }, () => 0.5);
  const warnings: string[] = [];
  if (now < root.facts.notBefore) {
    warnings.push(
      `root ${short(root)} is valid from ${formatTime(root.facts.notBefore)}, and here it is ${formatTime(now)}: ` +
        "set the clock; or, if it was ahead when the root was made, rotate the root",
    );
  }
  if (root.facts.notAfter - now < WARN_BEFORE_MS) {
    warnings.push(`root ${short(root)} expires at ${formatTime(root.facts.notAfter)}: rotate the root`);
  }
  if (!root.key && now >= issuingDue) {
    warnings.push(
      `issuing CA ${short(issuing)} was due for renewal at ${formatTime(issuingDue)} and ends at ` +
        `${formatTime(issuing.facts.notAfter)}: bring back the key of root ${short(root)}, or rotate the root`,
    );
  } else if (issuing.facts.notAfter - now < WARN_BEFORE_MS) {
    warnings.push(`issuing CA ${short(issuing)} expires at ${formatTime(issuing.facts.notAfter)}: rotate it`);
  }
  return warnings;
};

const rotationStatus = (authority: CertificateAuthority, nodes: readonly NodeTrust[]): RotationStatus => {
  const { rotation } = authority.set;
  const view = authority.view(nodes);
  if (rotation.announced) return { kind: "announcing", waitingFor: nodesWithout(rotation, view) };
  if (rotation.retiring.length === 0) return { kind: "idle" };
  const until = Math.max(...rotation.retiring.map((root) => trustedUntil(root, view.pace)));
  const waitingFor = new Set(rotation.retiring.flatMap(({ root }) => authority.nodesUnder(root)));
  return { kind: "retiring", until: formatTime(until), waitingFor: [...waitingFor] };
};

/** When an old root goes at the latest: a rotation keeps it for a while even if all that it signed has ended. */
const trustedUntil = ({ since, until }: RetiringRoot, { minRetirementMs }: RotationPace): number =>
  Math.max(until, since + minRetirementMs);

const stateOf = ({ rotation }: AuthoritySet, root: RootId): AuthorityCertificate["state"] => {
  if (rotation.signing.root === root) return "signing";
  return rotation.announced?.root === root ? "announced" : "retiring";
};

const describe = (
  { certificate, fingerprint, facts }: Authority,
  state: AuthorityCertificate["state"],
): AuthorityCertificate => ({
  subject: new X509Certificate(Buffer.from(certificate)).subject.split("\n").join(", "),
  notBefore: formatTime(facts.notBefore),
  notAfter: formatTime(facts.notAfter),
  fingerprint,
  state,
});

const short = ({ fingerprint }: Authority): string => fingerprint.slice(0, 16);
