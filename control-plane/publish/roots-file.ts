import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "#certs/issue/atomic-file.ts";
import type { NodeTrust } from "#certs/issue/rotation.ts";
import { fingerprintOf } from "#certs/x509/certificate.ts";
import { formatCertificates } from "#certs/x509/pem.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

/** `roots.pem` in a folder that everybody may read: the roots, for whoever has to trust the control plane first. */
export class RootsFile {
  readonly path: string;
  readonly #directory: string;
  #written: TrustBundle | undefined;
  #pending: TrustBundle | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.path = join(directory, "roots.pem");
  }

  /** Writes the file where it says something else. @returns nothing, or why it cannot be written: {@link retry} later */
  write(bundle: TrustBundle): Result<undefined, string> {
    const written = this.#replace(formatCertificates(bundle.roots));
    this.#pending = written.ok ? undefined : bundle;
    if (written.ok) this.#written = bundle;
    return written;
  }

  /** Writes what could not be written before. */
  retry(): void {
    if (this.#pending) this.write(this.#pending);
  }

  /**
   * While the file cannot be written, whoever starts later trusts only what it said before: a new root that signed would cut
   * them off, so that it waits for the file as for a node.
   */
  get trust(): readonly NodeTrust[] {
    if (!this.#pending) return [];
    const roots = new Set(this.#written?.roots.map(fingerprintOf));
    return [{ node: `${this.path} (cannot be written)`, roots, disconnectedSince: undefined }];
  }

  #replace(text: string): Result<undefined, string> {
    try {
      mkdirSync(this.#directory, { recursive: true });
      if (this.#read() === text) return ok(undefined);
    } catch (error) {
      return err(`cannot make ${this.#directory}: ${error instanceof Error ? error.message : String(error)}`);
    }
    return writeFileAtomically(this.path, text, 0o644);
  }

  #read(): string | undefined {
    try {
      return readFileSync(this.path, "utf8");
    } catch {
      return undefined;
    }
  }
}
