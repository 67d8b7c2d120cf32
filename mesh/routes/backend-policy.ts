import type { ServiceName } from "../service.ts";
import type { RetryConstraint, SessionPersistence } from "./route.ts";

/** What holds for all requests to a Service, whichever route led them there (Gateway API's policies with a Service as target). */
export interface BackendPolicy {
  readonly service: ServiceName;
  readonly retryConstraint: RetryConstraint | undefined;
  /** That of a route's rule goes before it. */
  readonly sessionPersistence: SessionPersistence | undefined;
  /** How endpoints outside the mesh are to be reached, by port of the Service; others are reached in clear. */
  readonly tls: ReadonlyMap<number, BackendTls>;
  /** Why the policy could not be read: nobody knows then what would have been encrypted. */
  readonly unreadable?: string;
}

/** TLS to an endpoint outside the mesh. */
export type BackendTls =
  | {
      readonly kind: "verified";
      /** Sent as SNI; who must answer where `subjectAltNames` is empty. */
      readonly hostname: string;
      /** One of them must be in the certificate. */
      readonly subjectAltNames: readonly SubjectAltName[];
      /** Certificates of the authorities that are trusted, and no others, DER. Never empty. */
      readonly roots: readonly Uint8Array[];
    }
  /** It cannot be done as it is asked for, and must not be done otherwise: requests are answered with an error. */
  | { readonly kind: "unusable"; readonly reason: string };

export interface SubjectAltName {
  readonly kind: "hostname" | "uri";
  readonly value: string;
}

/** How an endpoint outside the mesh is to be reached; undefined: in clear. */
export const tlsOf = (policy: BackendPolicy | undefined, port: number): BackendTls | undefined =>
  policy?.unreadable === undefined
    ? policy?.tls.get(port)
    : { kind: "unusable", reason: `the policy of the Service cannot be read: ${policy.unreadable}` };
