import type {
  ExplainedBackend,
  ExplainedForwarding,
  ExplainedMirror,
  ExplainedRequest,
} from "#mesh/admin/request-explanation.ts";
import { decideHttpRoute, type ForwardDecision, type ServiceTarget } from "#mesh/routes/decide-http-route.ts";
import type { RequestFacts } from "#mesh/routes/request-facts.ts";
import type { BackendTarget, RouteFilter, WeightedBackend } from "#mesh/routes/route.ts";
import type { RouteEntry } from "#mesh/routes/route-matcher.ts";
import type { Service, ServiceName } from "#mesh/service.ts";
import { sharedGet } from "#mesh/shared-map.ts";
import { explainServiceEndpoints, noEndpoints, type Viewpoint } from "./explain-endpoints.ts";

/** What a rule does with a request, for each backend that chance may give it. */
export const explainForwarding = (
  view: Viewpoint,
  facts: RequestFacts,
  entry: RouteEntry,
  rule: ForwardDecision["rule"],
): ExplainedForwarding => {
  const { backends, timeouts, retry } = entry.rule;
  return {
    kind: "forward",
    rule,
    timeouts,
    retry,
    backends: explainBackends(view, facts, entry.rule.filters, backends),
  };
};

const explainBackends = (
  view: Viewpoint,
  facts: RequestFacts,
  filters: readonly RouteFilter[],
  backends: readonly WeightedBackend[],
): readonly ExplainedBackend[] => {
  const sum = backends.reduce((total, { weight }) => total + weight, 0);
  let before = 0;
  return backends.map((backend) => {
    const { weight, target } = backend;
    const middle = (before + weight / 2) / sum;
    before += weight;
    return {
      service: target.kind === "service" ? targetText(target) : undefined,
      weight,
      share: sum === 0 ? 0 : weight / sum,
      outcome: weight === 0 ? { kind: "never" } : explainBackend(view, facts, [...filters, ...backend.filters], middle),
    };
  });
};

/** @param chance a number that leads to the backend */
const explainBackend = (
  view: Viewpoint,
  facts: RequestFacts,
  filters: readonly RouteFilter[],
  chance: number,
): ExplainedBackend["outcome"] => {
  const decision = decideHttpRoute(view.snapshot.routes, facts, () => chance);
  if (decision.kind === "error") return { kind: "error", status: decision.status, reason: decision.reason };
  if (decision.kind !== "forward") throw new Error(`the rule does not forward, but ${decision.kind}`);
  return {
    kind: "forward",
    request: explainedRequest({ ...decision.request, method: facts.method }),
    responseFilters: decision.responseFilters,
    mirrors: mirrorsOf(filters),
    endpoints: endpointsOf(view, decision.backend),
  };
};

/** A request as it is told. */
export const explainedRequest = ({
  method,
  authority,
  target,
  fields,
}: Pick<RequestFacts, "method" | "authority" | "target" | "fields">): ExplainedRequest => ({
  method,
  authority,
  target,
  fields: fields.map(({ name, value }) => ({ name, value })),
});

const endpointsOf = (view: Viewpoint, { service: name, port: number }: ServiceTarget) => {
  const service = sharedGet<ServiceName, Service>(view.snapshot.services, name);
  if (!service) return noEndpoints("this node knows no such Service");
  const port = service.ports.find(({ port }) => port === number);
  return port ? explainServiceEndpoints(view, service, port) : noEndpoints(`the Service has no port ${number}`);
};

const mirrorsOf = (filters: readonly RouteFilter[]): readonly ExplainedMirror[] =>
  filters.flatMap((filter) =>
    filter.kind === "request-mirror" ? [{ target: targetText(filter.target), share: filter.share }] : [],
  );

/** `shop/web:80`, or why it leads nowhere. */
const targetText = (target: BackendTarget): string => {
  if (target.kind === "invalid") return target.reason;
  const [namespace = "", hostname = ""] = target.service.split("/");
  return `${namespace}/${hostname.split(".")[0]}:${target.port}`;
};
