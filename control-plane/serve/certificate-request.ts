import type { IstioCertificateRequest } from "#api/gen/istio/v1/auth/ca_pb.js";
import { type CertificateRequest, parseCsr } from "#certs/x509/csr.ts";
import { err, ok, type Result } from "#mesh/result.ts";

/** A request to the certificate service that is in order by itself. */
export interface AskedCertificate extends CertificateRequest {
  /** 0: no wish. */
  readonly lifetimeMs: number;
  /** Which of the node's places will use it, if the node says so. */
  readonly holder: string | undefined;
}

/** Ours have 400 characters. Anything larger is not even decoded. */
const MAX_CSR_LENGTH = 16 * 1024;
const MAX_HOLDER_LENGTH = 64;

/** Reads a request. @param maxLifetimeMs a wish for more is an error @returns what is wrong, for the caller to read */
export const readCertificateRequest = (
  { csr, validityDuration, metadata = {} }: IstioCertificateRequest,
  maxLifetimeMs: number,
): Result<AskedCertificate, string> => {
  if (csr.length > MAX_CSR_LENGTH) return err(`the CSR has ${csr.length} characters, more than ${MAX_CSR_LENGTH}`);
  const request = parseCsr(csr);
  if (!request.ok) return err(`the CSR is refused: ${request.error}`);
  const { ImpersonatedIdentity: impersonated = request.value.id, Holder: holder } = metadata;
  if (impersonated !== request.value.id) return err("ImpersonatedIdentity is not the identity in the CSR");
  // Istio's clients send 0 or less for no wish.
  const lifetimeMs = validityDuration > 0n ? Number(validityDuration) * 1000 : 0;
  if (lifetimeMs > maxLifetimeMs) {
    return err(`${validityDuration} s are asked for, more than the ${maxLifetimeMs / 1000} s that anybody gets`);
  }
  if (holder !== undefined && (typeof holder !== "string" || holder.length > MAX_HOLDER_LENGTH)) {
    return err(`Holder must be text of at most ${MAX_HOLDER_LENGTH} characters`);
  }
  return ok({ ...request.value, lifetimeMs, holder });
};
