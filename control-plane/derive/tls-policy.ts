import { X509Certificate } from "node:crypto";
import { parsePem } from "#certs/x509/pem.ts";
import type { PolicyAncestorStatus, RouteCondition } from "#mesh/admin/control-plane-status.ts";
import type { BackendTlsPolicyObject, TlsTarget } from "#mesh/objects/backend-tls-policy.ts";
import type { PolicyTarget } from "#mesh/objects/backend-traffic-policy.ts";
import { isService } from "#mesh/objects/gateway-reference.ts";
import { err, type Result } from "#mesh/result.ts";
import type { BackendTls } from "#mesh/routes/backend-policy.ts";
import { byAge } from "./creation-time.ts";
import type { ObjectTables } from "./object-tables.ts";
import { targetKey } from "./policy-targets.ts";
import { CONTROLLER_NAME } from "./route-status.ts";
import { isInMesh } from "./service-model.ts";
import { missingTarget, refused } from "./traffic-policy.ts";

/** Keys of the ConfigMaps that a policy refers to. */
export const configMapsOf = ({ metadata, caCertificateRefs }: BackendTlsPolicyObject): readonly string[] =>
  caCertificateRefs.filter(isConfigMap).map(({ name }) => `${metadata.namespace}/${name}`);

/**
 * How a Service's endpoints outside the mesh are to be reached, by port: as the policy for the port says, else as the one for
 * the Service. Of several for the same the oldest counts, also where it cannot be applied: nothing is sent in clear then.
 * @param service key: `namespace/name`
 */
export const tlsOfService = (tables: ObjectTables, service: string): ReadonlyMap<number, BackendTls> => {
  const object = tables.services.get(service);
  const ports = object && isInMesh(object) ? object.ports.filter(({ transport }) => transport === "TCP") : [];
  const whole = winnerOf(tables, service, undefined);
  return new Map(
    ports.flatMap(({ port, name }) => {
      const policy = (name === "" ? undefined : winnerOf(tables, service, name)) ?? whole;
      return policy ? [[port, backendTls(tables, policy)] as const] : [];
    }),
  );
};

/** What became of a policy: an entry for each Service, or port of one, that it is for. */
export const tlsPolicyStatus = (
  tables: ObjectTables,
  policy: BackendTlsPolicyObject,
): readonly PolicyAncestorStatus[] => {
  const { namespace, generation } = policy.metadata;
  const resolved = resolution(tables, policy);
  return policy.targets.filter(isService).map((target) => ({
    ancestorRef: { ...target, namespace, port: undefined },
    controllerName: CONTROLLER_NAME,
    conditions: [acceptance(tables, policy, target), resolved].map((condition) => ({
      ...condition,
      observedGeneration: generation,
    })),
  }));
};

type ConditionBody = Omit<RouteCondition, "observedGeneration">;

const acceptance = (tables: ObjectTables, policy: BackendTlsPolicyObject, target: TlsTarget): ConditionBody => {
  const [problem] = policy.unsupported;
  if (problem) return refused("Invalid", `${problem.path}: ${problem.message}; nothing is sent meanwhile`);
  const key = targetKey(policy, target);
  const missing = missingTarget(tables, key) ?? missingPort(tables, key, target);
  if (missing) return missing;
  const winner = winnerOf(tables, key, target.sectionName);
  if (winner && winner !== policy) {
    return refused("Conflicted", `BackendTLSPolicy ${winner.metadata.name} is older, or first by name`);
  }
  const { roots, problems } = trustedRoots(tables, policy);
  const [bad] = problems;
  if (roots.length === 0) return refused("NoValidCACertificate", bad?.message ?? "no certificate is named");
  return { type: "Accepted", status: "True", reason: "Accepted", message: "the policy is accepted" };
};

const missingPort = (tables: ObjectTables, service: string, { sectionName }: TlsTarget): ConditionBody | undefined => {
  if (sectionName === undefined) return undefined;
  const isThere = tables.services
    .get(service)
    ?.ports.some(({ name, transport }) => name === sectionName && transport === "TCP");
  return isThere ? undefined : refused("TargetNotFound", `Service ${service} has no TCP port named ${sectionName}`);
};

const resolution = (tables: ObjectTables, policy: BackendTlsPolicyObject): ConditionBody => {
  const { problems } = trustedRoots(tables, policy);
  const [first] = problems;
  if (!first) {
    return { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "all references lead somewhere" };
  }
  const message = problems.map((problem) => problem.message).join("; ");
  return { type: "ResolvedRefs", status: "False", reason: first.reason, message };
};

/** Of the policies for a Service, or for a port of that name, the one that counts. */
const winnerOf = (
  tables: ObjectTables,
  service: string,
  sectionName: string | undefined,
): BackendTlsPolicyObject | undefined =>
  tables.backendTlsPolicies
    .where("target", service)
    .filter((policy) =>
      policy.targets.some(
        (target) => isService(target) && targetKey(policy, target) === service && target.sectionName === sectionName,
      ),
    )
    .toSorted(byAge)[0];

const backendTls = (tables: ObjectTables, policy: BackendTlsPolicyObject): BackendTls => {
  const { hostname, subjectAltNames, unsupported, metadata } = policy;
  const { roots, problems } = trustedRoots(tables, policy);
  const problem = unsupported[0]?.message ?? (roots.length === 0 ? (problems[0]?.message ?? "") : undefined);
  return problem === undefined
    ? { kind: "verified", hostname, subjectAltNames, roots }
    : { kind: "unusable", reason: `BackendTLSPolicy ${metadata.namespace}/${metadata.name}: ${problem}` };
};

interface TrustedRoots {
  readonly roots: readonly Uint8Array[];
  readonly problems: readonly { readonly reason: string; readonly message: string }[];
}

const trustedRoots = (tables: ObjectTables, policy: BackendTlsPolicyObject): TrustedRoots => {
  const roots: Uint8Array[] = [];
  const problems: TrustedRoots["problems"][number][] = [];
  for (const reference of policy.caCertificateRefs) {
    if (!isConfigMap(reference)) {
      problems.push({ reason: "InvalidKind", message: `${reference.kind} ${reference.name} is no ConfigMap` });
      continue;
    }
    const key = `${policy.metadata.namespace}/${reference.name}`;
    const read = certificatesIn(tables, key);
    if (read.ok) roots.push(...read.value);
    else problems.push({ reason: "InvalidCACertificateRef", message: `ConfigMap ${key} ${read.error}` });
  }
  return { roots, problems };
};

const certificatesIn = (tables: ObjectTables, key: string): Result<readonly Uint8Array[], string> => {
  const configMap = tables.configMaps.get(key);
  if (!configMap) return err("is not there");
  if (configMap.caCertificates === undefined) return err("has no ca.crt");
  const blocks = parsePem("CERTIFICATE", configMap.caCertificates);
  if (!blocks.ok) return err(`has a bad ca.crt: ${blocks.error}`);
  const bad = blocks.value.findIndex((der) => !isAuthority(der));
  return bad < 0 ? blocks : err(`has a bad ca.crt: certificate ${bad} is not one of an authority`);
};

const isAuthority = (der: Uint8Array): boolean => {
  try {
    return new X509Certificate(der).ca;
  } catch {
    return false;
  }
};

const isConfigMap = ({ group, kind }: PolicyTarget): boolean =>
  (group === "" || group === "core") && kind === "ConfigMap";
