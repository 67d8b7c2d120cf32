import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "#certs/issue/atomic-file.ts";
import { formatCertificates } from "#certs/x509/pem.ts";
import { err, type Result } from "#mesh/result.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

/** Writes the roots to `roots.pem` in a folder that everybody may read, for who has to trust the control plane first. */
export const writeRootsFile = (directory: string, bundle: TrustBundle): Result<undefined, string> => {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    return err(`cannot make ${directory}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return writeFileAtomically(join(directory, "roots.pem"), formatCertificates(bundle.roots), 0o644);
};
