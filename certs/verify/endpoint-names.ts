import type { SubjectAltName } from "#mesh/routes/backend-policy.ts";
import { parseCertificate } from "../x509/certificate.ts";

/**
 * Whether a server outside the mesh is who was called, by the names in its certificate; its chain is another's to verify. Common
 * names give no identity.
 * @param hostname that was called: it must be among the names, unless `wanted` says who must be
 * @param wanted one of these must be
 * @returns what is wrong otherwise
 */
export const endpointNamesProblem = (
  der: Uint8Array,
  hostname: string,
  wanted: readonly SubjectAltName[],
): string | undefined => {
  const certificate = parseCertificate(der);
  if (!certificate.ok) return `its certificate cannot be read: ${certificate.error}`;
  const names = certificate.value.subjectAltNames?.value ?? [];
  const hosts = names.flatMap((name) => (name.kind === "dns" ? [name.value.toLowerCase()] : []));
  const uris = names.flatMap((name) => (name.kind === "uri" ? [name.value] : []));
  const accepted: readonly SubjectAltName[] = wanted.length > 0 ? wanted : [{ kind: "hostname", value: hostname }];
  const isKnown = accepted.some(({ kind, value }) =>
    kind === "uri" ? uris.includes(value) : hosts.some((host) => isSameHost(host, value.toLowerCase())),
  );
  if (isKnown) return undefined;
  const found = [...hosts, ...uris].slice(0, MAX_NAMES).map((name) => JSON.stringify(name.slice(0, 256)));
  return `its certificate is for ${found.join(", ") || "nobody"}, not for ${accepted.map(({ value }) => value).join(" or ")}`;
};

/** Names of a certificate that are told. */
const MAX_NAMES = 5;

/** Of either the first label may be `*`, which stands for one label (RFC 9525 section 6.3). */
const isSameHost = (a: string, b: string): boolean => a === b || covers(a, b) || covers(b, a);

const covers = (pattern: string, host: string): boolean => {
  const dot = host.indexOf(".");
  const parent = host.slice(dot + 1);
  return dot > 0 && pattern === `*.${parent}` && parent.includes(".");
};
