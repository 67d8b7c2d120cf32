import type { MatchedRule } from "#mesh/routes/decide-http-route.ts";
import type { ServiceName } from "#mesh/service.ts";
import type { Labels } from "../../channel/worker-report.ts";
import type { Counter, Counters } from "./counters.ts";
import type { Histogram } from "./histogram.ts";
import { type RequestOutcome, responseCodeClass } from "./http-labels.ts";

/** A port of a service that a rule sent a request to. */
export interface RouteBackend {
  readonly service: ServiceName;
  readonly port: number;
}

/** What is counted for a rule and one of its backends. A series begins when something is counted in it. */
interface RouteSeries {
  readonly labels: Labels;
  readonly duration: Histogram;
  /** By outcome: classes of statuses, each with the 18 of gRPC. */
  readonly totals: Map<number, Counter>;
}

/** What `heddle routes` tells: for each rule and backend how many requests ended how. Only the caller's side knows it. */
export class RouteMetrics {
  readonly #counters: Counters;
  /** Kept at hand by the values that name a rule and its backend, which stay as long as the routes do; the counters stay. */
  readonly #series = new WeakMap<MatchedRule, WeakMap<object, RouteSeries>>();

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** @param backend undefined where the rule itself answers: a redirect, or no backend that may be used */
  ended(
    rule: MatchedRule,
    backend: RouteBackend | undefined,
    { status, grpcStatus }: RequestOutcome,
    durationMs: number,
  ): void {
    const { labels, duration, totals } = this.#of(rule, backend);
    duration.observe(durationMs);
    const key = Math.floor(status / 100) * GRPC_STATUSES + (grpcStatus ?? GRPC_STATUSES - 1);
    let total = totals.get(key);
    if (!total) {
      total = this.#counters.counter("heddle_route_requests_total", {
        ...labels,
        ...outcomeLabels(status, grpcStatus),
      });
      totals.set(key, total);
    }
    total.add(1);
  }

  #of(rule: MatchedRule, backend: RouteBackend | undefined): RouteSeries {
    const ofRule = this.#series.getOrInsertComputed(rule, () => new WeakMap<object, RouteSeries>());
    return ofRule.getOrInsertComputed(backend ?? rule, () => {
      const labels = routeLabels(rule, backend);
      const duration = this.#counters.histogram("heddle_route_request_duration_milliseconds", labels);
      return { labels, duration, totals: new Map<number, Counter>() };
    });
  }
}

/** Those of gRPC, and one more for what is none. */
const GRPC_STATUSES = 18;

const routeLabels = (rule: MatchedRule, backend: RouteBackend | undefined): Labels => ({
  route_namespace: rule.route.namespace,
  route_name: rule.route.name,
  route_rule: ruleLabel(rule),
  backend_service: backend?.service ?? "",
  backend_port: backend ? String(backend.port) : "",
});

const outcomeLabels = (status: number, grpcStatus: number | undefined): Labels => ({
  response_code_class: responseCodeClass(status),
  grpc_response_status: grpcStatus === undefined ? "" : String(grpcStatus),
});

/** A rule by its name, or by its place in the object. */
export const ruleLabel = ({ ruleName, ruleIndex }: MatchedRule): string => ruleName ?? String(ruleIndex);
