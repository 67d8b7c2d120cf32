import { X509Certificate } from "node:crypto";
import type { CertificateStatus } from "#mesh/admin/agent-status.ts";
import type { Entry } from "./certificate-entry.ts";

/** What an operator may know of a certificate. The key is not among it. */
export const certificateStatus = (entry: Entry, now: number): CertificateStatus => {
  const { owner, credentials, renewAt, lastError } = entry;
  const [leafDer] = credentials?.chain ?? [];
  const leaf = leafDer && new X509Certificate(leafDer);
  const problem = lastError ?? (leaf && clockProblem(leaf, now));
  return {
    identity: owner.identity,
    worker: owner.worker,
    state: problem === undefined ? (leaf ? "valid" : "pending") : "failing",
    serial: leaf?.serialNumber.toLowerCase(),
    notBefore: leaf && leaf.validFromDate.toISOString(),
    notAfter: leaf && leaf.validToDate.toISOString(),
    renewAt: renewAt === undefined ? undefined : new Date(renewAt).toISOString(),
    lastError: problem,
  };
};

/** A certificate that was good when it came, and is not by the time that it is here now. */
const clockProblem = ({ validFromDate, validToDate }: X509Certificate, now: number): string | undefined => {
  const here = `here it is ${new Date(now).toISOString()}`;
  if (validFromDate.getTime() > now)
    return `valid from ${validFromDate.toISOString()}, and ${here}: compare the clocks`;
  return validToDate.getTime() <= now ? `ended at ${validToDate.toISOString()}, and ${here}` : undefined;
};
