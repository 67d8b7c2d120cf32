import {
  type ExplainedOutcome,
  type ExplainedRoutes,
  MAX_LISTED,
  type RequestExplanation,
} from "#mesh/admin/request-explanation.ts";
import { assertNever } from "#mesh/assert-never.ts";
import { explainHttpRoute, type RouteExplanation } from "#mesh/routes/explain-http-route.ts";
import type { RequestFacts } from "#mesh/routes/request-facts.ts";
import type { RouteRule } from "#mesh/routes/route.ts";
import { routesFor } from "#mesh/routes/route-table.ts";
import { type Service, serviceName } from "#mesh/service.ts";
import { type Snapshot, workloadsOf } from "#mesh/snapshot.ts";
import { type Workload, workloadIdentity } from "#mesh/workload.ts";
import { type Destination, destinationOf } from "../worker/route/destination.ts";
import { explainPods, explainServiceEndpoints, isInMesh, type Viewpoint } from "./explain-endpoints.ts";
import { explainedRequest, explainForwarding } from "./explain-forwarding.ts";
import { NO_ROUTE } from "../worker/http/mesh-error.ts";
import { pinnedBackend } from "../worker/http/session.ts";
import { explainedDestination, explainedService } from "./explained-destination.ts";
import { type HttpWay, httpWay } from "./http-way.ts";
import { explainProtocol } from "./explain-protocol.ts";
import type { RequestAsked } from "./request-question.ts";
import { resolveHost } from "./resolve-host.ts";

/** What is explained of a request, the node and its configuration aside. */
export type Explained = Omit<RequestExplanation, "node" | "config">;

/** What would become of a request of a pod: each stage's own decision, by the code that serves traffic. */
export const explainRequest = (snapshot: Snapshot, source: Workload, asked: RequestAsked): Explained => {
  const head = {
    source: {
      namespace: source.namespace,
      name: source.name,
      node: source.node,
      addresses: source.addresses,
      identity: isInMesh(source) ? workloadIdentity(source) : undefined,
    },
    request: explainedRequest(asked),
  };
  return { ...head, ...explainHost(snapshot, source, asked) };
};

type Rest = Omit<Explained, "source" | "request">;

const explainHost = (snapshot: Snapshot, source: Workload, asked: RequestAsked): Rest => {
  const found = resolveHost(snapshot, source, asked.host);
  switch (found.kind) {
    case "none":
      return nowhere(found.message);
    case "headless":
      return explainHeadless(snapshot, source, asked, found.service);
    case "service":
    case "address": {
      const called = { address: found.address, port: asked.port };
      return explainDestination({ snapshot, source, called: found.address }, asked, destinationOf(snapshot, called));
    }
    default:
      return assertNever(found);
  }
};

const nowhere = (message: string): Rest => ({
  destination: { kind: "none", message },
  protocol: undefined,
  routes: undefined,
  outcome: { kind: "nowhere", message },
});

/** Its name stands for its pods, of which the caller chooses one: the proxy sees a call to a pod. */
const explainHeadless = (snapshot: Snapshot, source: Workload, asked: RequestAsked, service: Service): Rest => {
  const ready = workloadsOf(snapshot, serviceName(service)).filter(
    ({ health }) => health === "healthy" || service.sendToUnready,
  );
  const destination = explainedService(service, undefined, asked.port);
  const [first] = ready;
  const [called] = first?.addresses ?? [];
  if (!first || called === undefined) {
    const message = `the name ${asked.host} leads nowhere: none of the pods of this headless Service is ready`;
    return { ...nowhere(message), destination };
  }
  const view = { snapshot, source, called };
  const explained = explainDestination(view, asked, destinationOf(snapshot, { address: called, port: asked.port }));
  const { outcome } = explained;
  if (outcome.kind !== "unrouted") return { ...explained, destination };
  return { ...explained, destination, outcome: { kind: "unrouted", endpoints: explainPods(view, ready, asked.port) } };
};

const explainDestination = (view: Viewpoint, asked: RequestAsked, destination: Destination): Rest => {
  if (destination.kind === "refused") return nowhere(destination.message);
  const { snapshot, source } = view;
  const protocol = isInMesh(source) ? explainProtocol(snapshot, destination, asked) : NOT_CAPTURED;
  const told = { destination: explainedDestination(destination), protocol, routes: undefined };
  if (destination.kind === "unknown") {
    const message = "the mesh does not know the address: the connection is passed on as it is, in clear";
    return { ...told, outcome: { kind: "passthrough", message } };
  }
  if (destination.kind === "workload") {
    const endpoints = explainPods(view, [destination.workload], destination.called.port);
    return { ...told, outcome: { kind: "unrouted", endpoints } };
  }
  if (protocol.spoken === "opaque") return { ...told, outcome: unrouted(view, destination, undefined) };
  return { ...told, ...explainRouting(view, asked, destination) };
};

const NOT_CAPTURED = {
  spoken: "opaque",
  message: "the calling pod is not in the mesh: nobody looks at what it sends, and routes do not hold",
} as const;

type ServiceDestination = Extract<Destination, { kind: "service" }>;

/** @param http undefined where nobody looks for requests */
const unrouted = (view: Viewpoint, destination: ServiceDestination, http: HttpWay | undefined): ExplainedOutcome => ({
  kind: "unrouted",
  endpoints: explainServiceEndpoints(view, destination, http),
});

const explainRouting = (
  view: Viewpoint,
  asked: RequestAsked,
  destination: ServiceDestination,
): Pick<Rest, "routes" | "outcome"> => {
  const facts: RequestFacts = {
    method: asked.method,
    scheme: asked.scheme,
    authority: asked.authority,
    target: asked.target,
    fields: asked.fields,
    sourceNamespace: view.source.namespace,
    service: serviceName(destination.service),
    port: destination.port.port,
  };
  const { routes } = view.snapshot;
  const chosen = routesFor(routes, facts.service, facts.port, facts.sourceNamespace);
  const pin = pinnedBackend(view.snapshot, facts.fields, destination.called);
  const explanation = explainHttpRoute(routes, facts, () => 0, pin);
  const kind = chosen && (chosen.matcher.kind === "http" ? "HTTPRoute" : "GRPCRoute");
  return {
    routes: explainedRoutes(explanation, kind),
    outcome: routedOutcome(view, facts, asked, destination, explanation),
  };
};

const explainedRoutes = ({ group, candidates }: RouteExplanation, kind: ExplainedRoutes["kind"]): ExplainedRoutes => ({
  group,
  kind,
  total: candidates.length,
  candidates: candidates.slice(0, MAX_LISTED).map(({ rule, outcome }) => ({
    rule,
    outcome: outcome.kind,
    mismatch: outcome.kind === "mismatch" ? outcome.mismatch : undefined,
  })),
});

const routedOutcome = (
  view: Viewpoint,
  facts: RequestFacts,
  asked: RequestAsked,
  destination: ServiceDestination,
  { decision, candidates }: RouteExplanation,
): ExplainedOutcome => {
  switch (decision.kind) {
    case "unrouted":
      return unrouted(view, destination, httpWay(view.snapshot, facts.fields, destination, undefined));
    case "not-found":
      return { kind: "error", rule: undefined, status: NO_ROUTE.status, reason: NO_ROUTE.message };
    case "redirect":
    case "respond":
      return decision;
    case "forward":
    case "error": {
      const rank = candidates.findIndex(({ outcome }) => outcome.kind === "chosen");
      const { service, port, sourceNamespace } = facts;
      const entry = routesFor(view.snapshot.routes, service, port, sourceNamespace)?.matcher.entries[rank];
      if (!entry) throw new Error("a rule decided, and none was chosen");
      return decision.kind === "error" && isOfWholeRule(entry.rule)
        ? { kind: "error", rule: decision.rule, status: decision.status, reason: decision.reason }
        : explainForwarding(view, facts, asked, entry, decision.rule);
    }
    default:
      return assertNever(decision);
  }
};

/** Whether an error is that of all its requests, rather than of those that a backend would get that leads nowhere. */
const isOfWholeRule = ({ filters, backends }: RouteRule<unknown>): boolean =>
  filters.some(({ kind }) => kind === "unavailable") || backends.every(({ weight }) => weight === 0);
