import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issuingAuthority } from "#certs/issue/authority-set.ts";
import { loadAuthoritySet } from "#certs/issue/authority-store.ts";
import { leafUnder } from "#certs/testing/hostile-chains.ts";
import { uris, leafExtensions } from "#certs/testing/hostile-certificate.ts";
import { testAuthority } from "#certs/testing/test-authority.ts";
import type { Credentials } from "#certs/verify/credentials.ts";
import { exportPrivateKey } from "#certs/x509/key-pair.ts";
import { formatCertificates, formatPem } from "#certs/x509/pem.ts";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";

/** Certificate and key as files. */
export interface PemFiles {
  readonly cert: string;
  readonly key: string;
}

/** What a test may change about a leaf that the mesh's own authority signs. */
export type LeafChanges = Parameters<typeof leafUnder>[1];

/** A folder with certificates for programs that know nothing of Heddle. */
export class IssuedFiles {
  readonly #directory = mkdtempSync(join(tmpdir(), "heddle-pem-"));

  /** A leaf for an identity, signed with the keys in the state folder of a mesh, as nobody but its owner can. */
  issue(state: string, name: string, id: string): PemFiles {
    return this.issueWrong(state, name, { extensions: leafExtensions([uris(id)]) });
  }

  /** A leaf with something about it changed, signed by the same authority. */
  issueWrong(state: string, name: string, changes: LeafChanges): PemFiles {
    const set = unwrap(loadAuthoritySet(join(state, "ca"), unwrap(parseTrustDomain("cluster.local"))));
    if (!set) throw new Error(`no authority in ${state}`);
    return this.write(name, leafUnder({ ...testAuthority(), issuing: issuingAuthority(set) }, changes));
  }

  write(name: string, { key, chain }: Pick<Credentials, "key" | "chain">): PemFiles {
    const base = join(this.#directory, name.replaceAll(/[^a-zA-Z0-9]/g, "-"));
    const files = { cert: `${base}.crt`, key: `${base}.key` };
    writeFileSync(files.cert, formatCertificates(chain));
    writeFileSync(files.key, formatPem("PRIVATE KEY", exportPrivateKey(key)));
    return files;
  }

  dispose(): void {
    rmSync(this.#directory, { recursive: true });
  }
}
