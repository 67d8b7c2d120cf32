import { assertNever } from "#mesh/assert-never.ts";
import type { RoutedPort, RoutedSet } from "#mesh/admin/routes-dump.ts";
import type { RouteFilter, RouteRule, WeightedBackend } from "#mesh/routes/route.ts";
import { grpcMatchText, httpMatchText } from "./match-text.ts";
import { type BackendTraffic, quantileOf, trafficKey, type TrafficSum } from "./traffic-sum.ts";

/** One backend of one rule at one port of a Service, as it should be and as it is. */
export interface RouteRow {
  /** `namespace/name:port`. */
  readonly service: string;
  readonly group: RoutedSet["group"];
  readonly kind: "HTTPRoute" | "GRPCRoute";
  /** `namespace/name`. */
  readonly route: string;
  readonly rule: { readonly index: number; readonly name: string | undefined };
  /** One of them must hold. */
  readonly matches: readonly string[];
  /** `namespace/name:port`, or what happens instead. */
  readonly backend: string;
  /** Why requests are answered with an error instead; the route's status says it too. */
  readonly problem: string | undefined;
  readonly weight: number | undefined;
  /** The share of the rule's requests that it is to get, 0 to 1. */
  readonly wanted: number | undefined;
  /** Undefined where there were no requests. */
  readonly served: ServedTraffic | undefined;
}

export interface ServedTraffic {
  readonly requests: number;
  /** Of the rule's requests, 0 to 1. */
  readonly share: number;
  /** 0 to 1. */
  readonly success: number;
  readonly meanMs: number | undefined;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** Rows in the order of Services, routes and rules. @param bounds of the buckets of durations, in milliseconds */
export const routeRows = (
  ports: readonly RoutedPort[],
  traffic: TrafficSum,
  bounds: readonly number[],
): readonly RouteRow[] =>
  ports.flatMap((port) =>
    port.sets.flatMap((set) =>
      rulesOf(set).flatMap(({ route, rule, matches }) => {
        const places = placesOf(route, rule);
        const counted = places.map(({ key }) => traffic.get(key));
        const all = counted.reduce((sum, each) => sum + (each?.requests ?? 0), 0);
        const weights = places.reduce((sum, { weight = 0 }) => sum + weight, 0);
        return places.map(({ backend, problem, weight }, index) => ({
          service: `${port.namespace}/${port.name}:${port.port}`,
          group: set.group,
          kind: set.kind === "http" ? ("HTTPRoute" as const) : ("GRPCRoute" as const),
          route,
          rule: { index: rule.index, name: rule.name },
          matches,
          backend,
          problem,
          weight,
          wanted: weight === undefined ? undefined : weights === 0 ? 0 : weight / weights,
          served: servedOf(counted[index], all, bounds),
        }));
      }),
    ),
  );

interface NamedRule {
  readonly route: string;
  readonly rule: RouteRule<unknown>;
  readonly matches: readonly string[];
}

const rulesOf = (set: RoutedSet): readonly NamedRule[] =>
  set.kind === "http"
    ? set.routes.flatMap(({ namespace, name, rules }) =>
        rules.map((rule) => ({ route: `${namespace}/${name}`, rule, matches: rule.matches.map(httpMatchText) })),
      )
    : set.routes.flatMap(({ namespace, name, rules }) =>
        rules.map((rule) => ({ route: `${namespace}/${name}`, rule, matches: rule.matches.map(grpcMatchText) })),
      );

/** Where requests of a rule may end up, and under which key they are counted. */
interface Place extends Pick<RouteRow, "backend" | "problem"> {
  readonly key: string;
  readonly weight: number | undefined;
}

const placesOf = (route: string, rule: RouteRule<unknown>): readonly Place[] => {
  const label = rule.name ?? String(rule.index);
  const own = { key: trafficKey({ route, rule: label, backend: "" }), weight: undefined };
  const answer = ownAnswer(rule.filters);
  if (answer) return [{ ...own, ...answer }];
  if (rule.backends.length === 0) return [{ ...own, ...nowhere("it has no backendRefs") }];
  const places = new Map<string, Place>();
  for (const backend of rule.backends) {
    const place = placeOf(route, label, backend);
    const before = places.get(place.key);
    places.set(place.key, before ? { ...before, weight: (before.weight ?? 0) + backend.weight } : place);
  }
  return [...places.values()];
};

const placeOf = (route: string, rule: string, { target, weight }: WeightedBackend): Place => {
  if (target.kind === "invalid") {
    return { ...nowhere(target.reason), key: trafficKey({ route, rule, backend: "" }), weight };
  }
  const [namespace = "", hostname = ""] = target.service.split("/");
  return {
    backend: `${namespace}/${hostname.split(".")[0]}:${target.port}`,
    problem: undefined,
    key: trafficKey({ route, rule, backend: `${target.service}:${target.port}` }),
    weight,
  };
};

/** What a rule answers by itself, so that no backend gets a request. */
const ownAnswer = (filters: readonly RouteFilter[]): Pick<Place, "backend" | "problem"> | undefined => {
  for (const filter of filters) {
    switch (filter.kind) {
      case "unavailable":
        return nowhere(filter.reason);
      case "request-redirect":
        return { backend: `redirect ${filter.statusCode}`, problem: undefined };
      case "request-header-modifier":
      case "response-header-modifier":
      case "url-rewrite":
      case "cors":
      case "request-mirror":
        break;
      default:
        assertNever(filter);
    }
  }
  return undefined;
};

const nowhere = (problem: string): Pick<Place, "backend" | "problem"> => ({ backend: "none (500)", problem });

const servedOf = (
  traffic: BackendTraffic | undefined,
  all: number,
  bounds: readonly number[],
): ServedTraffic | undefined => {
  if (all === 0) return undefined;
  if (!traffic || traffic.requests === 0) return { ...NONE };
  const { requests, failed, counts, durationSumMs } = traffic;
  const measured = counts.reduce((sum, count) => sum + count, 0);
  return {
    requests,
    share: requests / all,
    success: (requests - failed) / requests,
    meanMs: measured === 0 ? undefined : durationSumMs / measured,
    p50Ms: quantileOf(bounds, counts, 0.5),
    p99Ms: quantileOf(bounds, counts, 0.99),
  };
};

/** Others of the rule got requests. */
const NONE: ServedTraffic = {
  requests: 0,
  share: 0,
  success: 1,
  meanMs: undefined,
  p50Ms: undefined,
  p99Ms: undefined,
};
