import {
  type ExplainedEndpoint,
  type ExplainedEndpoints,
  type ExplainedSession,
  type ExplainedVerdict,
  MAX_LISTED,
} from "#mesh/admin/request-explanation.ts";
import { type IpAddress, ipFamily } from "#mesh/ip-address.ts";
import type { BackendTls } from "#mesh/routes/backend-policy.ts";
import { policyName } from "#mesh/policies/authorization.ts";
import { type Service, serviceName, type ServicePort } from "#mesh/service.ts";
import { policiesOf, type Snapshot, workloadsOf } from "#mesh/snapshot.ts";
import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import { type Workload, workloadIdentity } from "#mesh/workload.ts";
import { guardInbound } from "../worker/guard/inbound.ts";
import type { HttpWay } from "./http-way.ts";
import { workloadEndpoint } from "../worker/select/endpoint.ts";
import { endpointPort } from "../worker/select/endpoint-port.ts";

/** From where, and by which address, endpoints are looked at. */
export interface Viewpoint {
  readonly snapshot: Snapshot;
  readonly source: Workload;
  /** What was called: endpoints of its family are preferred. */
  readonly called: IpAddress;
}

/** The endpoints of a service's port. @param http undefined where bytes are passed on */
export const explainServiceEndpoints = (
  view: Viewpoint,
  { service, port }: { readonly service: Service; readonly port: ServicePort },
  http: HttpWay | undefined,
): ExplainedEndpoints =>
  listEndpoints(
    workloadsOf(view.snapshot, serviceName(service)).map((workload) => {
      const target = endpointPort(service, port, workload);
      return target.ok
        ? explainEndpoint(view, workload, target.value, http?.tls)
        : excluded(workload, EXCLUSIONS[target.error]);
    }),
    http?.session,
  );

/** Pods that are called at a port of their own. */
export const explainPods = (view: Viewpoint, workloads: readonly Workload[], port: number): ExplainedEndpoints =>
  listEndpoints(workloads.map((workload) => explainEndpoint(view, workload, port)));

const EXCLUSIONS = {
  "not-ready": "not ready",
  "no-such-port": "it has no such port",
} as const;

const listEndpoints = (endpoints: readonly ExplainedEndpoint[], session?: ExplainedSession): ExplainedEndpoints => {
  const eligible = endpoints.filter((endpoint) => endpoint.excluded === undefined);
  const others = endpoints.filter((endpoint) => endpoint.excluded !== undefined);
  return {
    total: endpoints.length,
    eligible: eligible.length,
    session,
    listed: [...eligible, ...others].slice(0, MAX_LISTED),
    problem:
      endpoints.length === 0 ? "no pod is behind it" : eligible.length === 0 ? "none of its pods can serve" : undefined,
  };
};

const explainEndpoint = (view: Viewpoint, workload: Workload, port: number, tls?: BackendTls): ExplainedEndpoint => {
  const endpoint = workloadEndpoint(workload, port, view.called);
  if (!endpoint) return excluded(workload, "it has no address, or the port is the proxy's own");
  const { address } = endpoint;
  const ofPolicy = endpoint.kind === "tunnel" ? undefined : tls;
  if (ofPolicy?.kind === "unusable") return excluded(workload, `TLS is wanted, and ${ofPolicy.reason}`);
  return {
    workload: { namespace: workload.namespace, name: workload.name },
    node: workload.node,
    address: formatSocketAddress(address),
    excluded: undefined,
    way: wayOf(view, endpoint, ofPolicy),
    verdict: verdictOf(view, workload, address),
  };
};

const wayOf = (
  { source }: Viewpoint,
  endpoint: NonNullable<ReturnType<typeof workloadEndpoint>>,
  tls: BackendTls | undefined,
): ExplainedEndpoint["way"] => {
  if (endpoint.kind === "tunnel" && isInMesh(source)) return { kind: "tunnel", identity: endpoint.identity };
  return tls?.kind === "verified" ? { kind: "tls", hostname: tls.hostname } : { kind: "plaintext" };
};

const excluded = ({ namespace, name, node }: Workload, reason: string): ExplainedEndpoint => ({
  workload: { namespace, name },
  node,
  address: undefined,
  excluded: reason,
  way: undefined,
  verdict: undefined,
});

/** What the called pod's proxy makes of a connection that comes from there. */
const verdictOf = ({ snapshot, source }: Viewpoint, workload: Workload, called: SocketAddress): ExplainedVerdict => {
  if (!isInMesh(workload)) return { kind: "unguarded" };
  const { policies, missing } = policiesOf(snapshot, workload);
  const names = [...policies.map(policyName), ...missing].sort();
  const family = ipFamily(called.address);
  const sourceIp = source.addresses.find((each) => ipFamily(each) === family) ?? called.address;
  const guarded = guardInbound(snapshot, workload, {
    identity: isInMesh(source) ? workloadIdentity(source) : undefined,
    sourceIp,
    destinationIp: called.address,
    destinationPort: called.port,
  });
  return guarded.ok
    ? { kind: "allowed", policy: guarded.value.policy, policies: names }
    : { kind: "denied", reason: guarded.error.reason, message: guarded.error.message, policies: names };
};

/** Whether its traffic is captured, so that it has an identity and a proxy that judges. */
export const isInMesh = ({ tunnel }: Workload): boolean => tunnel === "hbone";
