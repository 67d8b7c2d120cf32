import type { SubjectAltName } from "../routes/backend-policy.ts";
import { err, ok } from "../result.ts";
import { type PolicyTarget } from "./backend-traffic-policy.ts";
import { apiGroup, type RouteMetadata, routeMetadata } from "./gateway-reference.ts";
import { parseDnsSubdomain } from "./metadata.ts";
import { object, optional, oneOf, parsed, type Problem, type Reader, required, strictObject, text } from "./reader.ts";
import { boundedList, hostname, preciseHostname } from "./route-text.ts";

/** Gateway API's BackendTLSPolicy: how connections to a Service of its namespace are encrypted, and who must answer. */
export interface BackendTlsPolicyObject {
  readonly kind: "BackendTLSPolicy";
  readonly metadata: RouteMetadata;
  readonly targets: readonly TlsTarget[];
  /** Objects of the policy's own namespace. */
  readonly caCertificateRefs: readonly PolicyTarget[];
  /** Sent as SNI; who must answer where no name is given for that. */
  readonly hostname: string;
  readonly subjectAltNames: readonly SubjectAltName[];
  /** What is in order and not known here. */
  readonly unsupported: readonly Problem[];
}

/** A Service, or with `sectionName` its port of that name. */
export interface TlsTarget extends PolicyTarget {
  readonly sectionName: string | undefined;
}

const reference = {
  group: required(apiGroup),
  kind: required(text),
  name: required(parsed(parseDnsSubdomain)),
} as const;

const absoluteUri = parsed((uri: string) =>
  /^[a-zA-Z][a-zA-Z0-9+.-]*:[\u0021-\u007e]{1,1024}$/.test(uri)
    ? ok(uri)
    : err(`${JSON.stringify(uri.slice(0, 80))} is not a URI with a scheme`),
);

const subjectAltName: Reader<SubjectAltName> = (value, path, problems) => {
  const read = strictObject({
    type: required(oneOf("Hostname", "URI")),
    hostname: optional(hostname),
    uri: optional(absoluteUri),
  })(value, path, problems);
  const [wanted, other] = read.type === "URI" ? (["uri", "hostname"] as const) : (["hostname", "uri"] as const);
  if (read[wanted] === undefined) problems.push({ path: `${path}.${wanted}`, message: `is required by ${read.type}` });
  if (read[other] !== undefined)
    problems.push({ path: `${path}.${other}`, message: `does not belong to ${read.type}` });
  return { kind: wanted, value: read[wanted] ?? "" };
};

const validation = strictObject({
  caCertificateRefs: optional(boundedList(strictObject(reference), 0, 8), [] as readonly PolicyTarget[]),
  wellKnownCACertificates: optional(text, ""),
  hostname: required(preciseHostname),
  subjectAltNames: optional(boundedList(subjectAltName, 0, 5), [] as readonly SubjectAltName[]),
});

const target = strictObject<TlsTarget>({ ...reference, sectionName: optional(parsed(parseDnsSubdomain)) });

const spec = object({
  targetRefs: required(boundedList(target, 1, 16)),
  validation: required(validation),
});

export const backendTlsPolicyObject: Reader<BackendTlsPolicyObject> = (value, path, problems) => {
  const read = object({ metadata: required(routeMetadata), spec: required(spec) })(value, path, problems);
  const { targetRefs, validation } = read.spec;
  const { caCertificateRefs, wellKnownCACertificates, hostname, subjectAltNames } = validation;
  const at = `${path === "" ? "" : `${path}.`}spec.validation`;
  const unsupported: Problem[] = [];
  if (wellKnownCACertificates !== "") {
    const message = "the certificates of the system are not supported; name those that are to be trusted";
    unsupported.push({ path: `${at}.wellKnownCACertificates`, message });
  }
  if (caCertificateRefs?.length > 0 === (wellKnownCACertificates !== "")) {
    problems.push({ path: at, message: "must have either caCertificateRefs or wellKnownCACertificates" });
  }
  return {
    kind: "BackendTLSPolicy",
    metadata: read.metadata,
    targets: targetRefs,
    caCertificateRefs,
    hostname,
    subjectAltNames,
    unsupported,
  };
};
