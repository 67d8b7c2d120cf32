import { X509Certificate } from "node:crypto";
import type { CertificateStatus } from "#mesh/admin/agent-status.ts";
import type { Entry } from "./certificate-entry.ts";

/** What an operator may know of a certificate. The key is not among it. */
export const certificateStatus = (entry: Entry, now: number): CertificateStatus => {
  const { owner, credentials, renewAt, lastError } = entry;
  const [leafDer] = credentials?.chain ?? [];
  const leaf = leafDer && new X509Certificate(leafDer);
  const isValid = credentials !== undefined && credentials.notAfter > now;
  return {
    identity: owner.identity,
    worker: owner.worker,
    state: lastError === undefined ? (isValid ? "valid" : "pending") : "failing",
    serial: leaf?.serialNumber.toLowerCase(),
    notBefore: leaf && leaf.validFromDate.toISOString(),
    notAfter: leaf && leaf.validToDate.toISOString(),
    renewAt: renewAt === undefined ? undefined : new Date(renewAt).toISOString(),
    lastError,
  };
};
