import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { exportPrivateKey } from "#certs/x509/key-pair.ts";
import { formatCertificates, formatPem } from "#certs/x509/pem.ts";

/** Paths of PEM files. Client and server have the chain and the key in one file, as haproxy wants it, and the key once more. */
export interface CertificateFiles {
  readonly root: string;
  readonly client: string;
  readonly clientKey: string;
  readonly server: string;
  readonly serverKey: string;
}

/** Certificates for proxies outside the mesh, of the same kind and length as the mesh's own, from an authority of their own. */
export const writeCertificates = (folder: string): CertificateFiles => {
  const authority = testAuthority();
  const files = {
    root: join(folder, "root.pem"),
    client: join(folder, "client.pem"),
    clientKey: join(folder, "client.key"),
    server: join(folder, "server.pem"),
    serverKey: join(folder, "server.key"),
  };
  writeFileSync(files.root, formatCertificates(authority.bundle.roots));
  for (const name of ["client", "server"] as const) {
    const { key, chain } = authority.credentials(`plain/${name}`);
    const pem = formatPem("PRIVATE KEY", exportPrivateKey(key));
    writeFileSync(files[name], formatCertificates(chain) + pem, { mode: 0o600 });
    writeFileSync(files[`${name}Key`], pem, { mode: 0o600 });
  }
  return files;
};
