import { X509Certificate } from "node:crypto";
import type {
  BackendPolicy as ProtoBackendPolicy,
  PortTls,
  RetryConstraint as ProtoRetryConstraint,
  SubjectAltName as ProtoSubjectAltName,
} from "#api/gen/heddle/routes/v1alpha1/backend_policy_pb.js";
import type { BackendPolicy, BackendTls, SubjectAltName } from "#mesh/routes/backend-policy.ts";
import type { RetryConstraint } from "#mesh/routes/route.ts";
import { line, portNumber, serviceNameOf, wholeNumber } from "./field-checks.ts";
import { decodeSessionPersistence } from "./session-persistence.ts";

/** @param problems takes what is wrong with it; what is returned then is not to be used */
export const decodeBackendPolicy = (proto: ProtoBackendPolicy, problems: string[]): BackendPolicy => ({
  service: serviceNameOf(proto.service, problems),
  retryConstraint: proto.retryConstraint && retryConstraint(proto.retryConstraint, problems),
  sessionPersistence: proto.sessionPersistence && decodeSessionPersistence(proto.sessionPersistence, problems),
  tls: portTls(proto.tls, problems),
});

const portTls = (protos: readonly PortTls[], problems: string[]): ReadonlyMap<number, BackendTls> => {
  const ports = new Map(protos.map(({ port, tls }) => [portNumber(port, problems), decodeTls(tls, problems)] as const));
  if (ports.size < protos.length) problems.push("a port is there twice");
  return ports;
};

const decodeTls = (tls: PortTls["tls"], problems: string[]): BackendTls => {
  if (tls.case === "unusable") return { kind: "unusable", reason: tls.value };
  if (tls.case === undefined) {
    problems.push("TLS of unknown kind");
    return { kind: "unusable", reason: "" };
  }
  const { hostname, subjectAltNames, roots } = tls.value;
  if (hostname === "") problems.push("TLS without a host name");
  if (roots.length === 0) problems.push("TLS without an authority to trust");
  if (!roots.every(isCertificate)) problems.push("TLS with an authority that is no certificate");
  return {
    kind: "verified",
    hostname: line(hostname, problems),
    subjectAltNames: subjectAltNames.map(({ name }) => decodeName(name, problems)),
    roots,
  };
};

const decodeName = (name: ProtoSubjectAltName["name"], problems: string[]): SubjectAltName => {
  if (name.case !== undefined && name.value !== "") return { kind: name.case, value: line(name.value, problems) };
  problems.push("a subject alternative name of unknown kind");
  return { kind: "hostname", value: "" };
};

/** The DER of one certificate: Node.js reads PEM as well, and more than one in a row. */
const isCertificate = (bytes: Uint8Array): boolean => {
  try {
    return new X509Certificate(bytes).raw.equals(bytes);
  } catch {
    return false;
  }
};

const retryConstraint = (proto: ProtoRetryConstraint, problems: string[]): RetryConstraint => {
  const { percent, minRetries } = proto;
  if (percent > 100) problems.push(`retries of ${percent} percent`);
  return {
    percent,
    intervalMs: duration(proto.intervalMs, problems),
    minRetries,
    minRetriesIntervalMs: duration(proto.minRetriesIntervalMs, problems),
  };
};

/** An interval that something can happen in. */
const duration = (value: bigint, problems: string[]): number => {
  const ms = wholeNumber(value, problems);
  if (ms < 1) problems.push(`an interval of ${ms} ms`);
  return ms;
};
