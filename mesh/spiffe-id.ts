import { err, ok, type Result } from "./result.ts";

declare const spiffeId: unique symbol;
/** `spiffe://trust-domain/ns/namespace/sa/service-account`, checked by {@link parseSpiffeId}. */
export type SpiffeId = string & { readonly [spiffeId]: true };

declare const trustDomain: unique symbol;
/** The host part of a SPIFFE ID, checked by {@link parseTrustDomain}. */
export type TrustDomain = string & { readonly [trustDomain]: true };

/** What a SPIFFE ID of this mesh says. */
export interface Identity {
  readonly trustDomain: TrustDomain;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** SPIFFE ID section 2.3: an implementation accepts up to 2048 bytes. */
const MAX_ID_BYTES = 2048;
/** SPIFFE ID section 2.1. */
const MAX_TRUST_DOMAIN_BYTES = 255;

const SCHEME = "spiffe://";

/** Parses a trust domain: `[a-z0-9.-_]`, at most 255 bytes, no percent-encoding, no port, no user (SPIFFE ID section 2.1). */
export const parseTrustDomain = (text: string): Result<TrustDomain, string> =>
  /^[a-z0-9._-]+$/.test(text) && text.length <= MAX_TRUST_DOMAIN_BYTES
    ? ok(text as TrustDomain)
    : err(`${quote(text)} is not a trust domain: lower-case letters, digits, dots, dashes and underscores, up to 255`);

/**
 * Parses a workload's SPIFFE ID as strictly as the standard allows (SPIFFE ID section 2): lower-case scheme and trust
 * domain, no port, user, query, fragment or percent-encoding, no empty or dot segment. The path must be
 * `/ns/<namespace>/sa/<service account>`, the convention of this mesh.
 */
export const parseSpiffeId = (text: string): Result<SpiffeId, string> => {
  if (text.length > MAX_ID_BYTES) return err(`a SPIFFE ID of ${text.length} characters is longer than ${MAX_ID_BYTES}`);
  if (!text.startsWith(SCHEME)) return err(`${quote(text)} does not start with ${SCHEME}`);
  const [domain = "", ...segments] = text.slice(SCHEME.length).split("/");
  const parsedDomain = parseTrustDomain(domain);
  if (!parsedDomain.ok) return err(`${quote(text)}: ${parsedDomain.error}`);
  const bad = segments.find((segment) => !/^[a-zA-Z0-9._-]+$/.test(segment) || segment === "." || segment === "..");
  if (bad !== undefined) return err(`${quote(text)}: ${quote(bad)} is not a path segment of a SPIFFE ID`);
  if (segments.length !== 4 || segments[0] !== "ns" || segments[2] !== "sa") {
    return err(`${quote(text)} does not have the form ${SCHEME}<trust domain>/ns/<namespace>/sa/<service account>`);
  }
  return ok(text as SpiffeId);
};

/** The SPIFFE ID of a service account. The parts come from validated objects; a bad part is a broken invariant. */
export const spiffeIdOf = ({ trustDomain, namespace, serviceAccount }: Identity): SpiffeId => {
  const parsed = parseSpiffeId(`${SCHEME}${trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};

/** The parts of a SPIFFE ID. */
export const identityOf = (id: SpiffeId): Identity => {
  const [, , domain, , namespace, , serviceAccount] = id.split("/") as [
    string,
    string,
    TrustDomain,
    string,
    string,
    string,
    string,
  ];
  return { trustDomain: domain, namespace, serviceAccount };
};

/** The bundle that verifies an ID is the one of the ID's own trust domain, never another's. */
export const trustDomainOf = (id: SpiffeId): TrustDomain =>
  id.slice(SCHEME.length, id.indexOf("/", SCHEME.length)) as TrustDomain;

const quote = (text: string): string => JSON.stringify(text.slice(0, 128));
