import type {
  ExplainedBackend,
  ExplainedForwarding,
  ExplainedMirror,
  ExplainedRequest,
} from "#mesh/admin/request-explanation.ts";
import { decideHttpRoute, type ForwardDecision, type PinBackend } from "#mesh/routes/decide-http-route.ts";
import { fieldValue } from "#mesh/routes/field.ts";
import type { RequestFacts } from "#mesh/routes/request-facts.ts";
import type { BackendTarget, RouteFilter } from "#mesh/routes/route.ts";
import type { RouteEntry } from "#mesh/routes/route-matcher.ts";
import { sharedGet } from "#mesh/shared-map.ts";
import { backendOf } from "../worker/http/backend-of.ts";
import { pinnedBackend } from "../worker/http/session.ts";
import { goesOnAsHttp2 } from "../worker/http/upstream-version.ts";
import { explainServiceEndpoints, type Viewpoint } from "./explain-endpoints.ts";
import { httpWay } from "./http-way.ts";
import type { RequestAsked } from "./request-question.ts";

/** What a rule does with a request, for each backend that chance may give it. */
export const explainForwarding = (
  view: Viewpoint,
  facts: RequestFacts,
  asked: RequestAsked,
  entry: RouteEntry,
  rule: ForwardDecision["rule"],
): ExplainedForwarding => {
  const { filters, backends, timeouts, retry, sessionPersistence } = entry.rule;
  const pin = pinnedBackend(view.snapshot, facts.fields, { address: view.called, port: facts.port });
  const pinned = sessionPersistence && pin(rule, sessionPersistence, backends);
  const sum = backends.reduce((total, { weight }) => total + weight, 0);
  let before = 0;
  const explained = backends.map((backend): ExplainedBackend => {
    const { weight, target } = backend;
    const middle = (before + weight / 2) / sum;
    before += weight;
    const all = [...filters, ...backend.filters];
    return {
      service: target.kind === "service" ? targetText(target) : undefined,
      weight,
      share: pinned ? Number(backend === pinned) : weight / sum,
      outcome:
        pinned && backend !== pinned
          ? { kind: "never", reason: "the session is at another backend" }
          : weight === 0 && !pinned
            ? { kind: "never", reason: "its weight is 0" }
            : explainBackend(view, facts, asked, all, { chance: pinned ? 0 : middle, pin }),
    };
  });
  return { kind: "forward", rule, timeouts, retry, backends: explained };
};

/** What leads to a backend: a number, or the session. */
interface Choice {
  readonly chance: number;
  readonly pin: PinBackend;
}

const explainBackend = (
  view: Viewpoint,
  facts: RequestFacts,
  asked: RequestAsked,
  filters: readonly RouteFilter[],
  { chance, pin }: Choice,
): ExplainedBackend["outcome"] => {
  const { snapshot } = view;
  const decision = decideHttpRoute(snapshot.routes, facts, () => chance, pin);
  if (decision.kind === "error") return { kind: "error", status: decision.status, reason: decision.reason };
  if (decision.kind !== "forward") throw new Error(`the rule does not forward, but ${decision.kind}`);
  const target = backendOf(snapshot, decision.backend, { address: view.called, port: facts.port });
  if ("code" in target) return { kind: "error", status: target.status, reason: target.message };
  if (target.kind !== "service") throw new Error("a backend is a Service");
  const upgrade = fieldValue(facts.fields, "upgrade");
  const head = { version: asked.isHttp2 ? "2" : "1.1", upgrade: upgrade === undefined ? [] : [upgrade] } as const;
  return {
    kind: "forward",
    request: explainedRequest({ ...decision.request, method: facts.method }),
    responseFilters: decision.responseFilters,
    mirrors: mirrorsOf(filters),
    version: goesOnAsHttp2(head, target) ? "HTTP/2" : "HTTP/1.1",
    retryConstraint: decision.retry && sharedGet(snapshot.backendPolicies, decision.backend.service)?.retryConstraint,
    endpoints: explainServiceEndpoints(view, target, httpWay(snapshot, facts.fields, target, decision)),
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
