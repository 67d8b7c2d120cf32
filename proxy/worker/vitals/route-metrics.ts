import type { MatchedRule } from "#mesh/routes/decide-http-route.ts";
import type { ServiceName } from "#mesh/service.ts";
import type { Counter, Counters } from "./counters.ts";
import { type RequestOutcome, responseCodeClass } from "./http-labels.ts";

/** A port of a service that a rule sent a request to. */
export interface RouteBackend {
  readonly service: ServiceName;
  readonly port: number;
}

/** Series that are kept at hand; all of them live on in the counters. */
const MAX_CACHED = 4_096;

/** What `heddle routes` tells: for each rule and backend how many requests ended how. Only the caller's side knows it. */
export class RouteMetrics {
  readonly #counters: Counters;
  readonly #cache = new Map<string, Counter>();

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** @param backend undefined where the rule itself answers: a redirect, or no backend that may be used */
  ended(rule: MatchedRule, backend: RouteBackend | undefined, { status, grpcStatus }: RequestOutcome): void {
    const { namespace, name } = rule.route;
    const codeClass = responseCodeClass(status);
    const key = `${namespace}/${name}/${rule.ruleIndex}/${backend?.service}/${backend?.port}/${codeClass}/${grpcStatus}`;
    let counter = this.#cache.get(key);
    if (!counter) {
      if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
      counter = this.#counters.counter("heddle_route_requests_total", {
        route_namespace: namespace,
        route_name: name,
        route_rule: ruleLabel(rule),
        backend_service: backend?.service ?? "",
        backend_port: backend ? String(backend.port) : "",
        response_code_class: codeClass,
        grpc_response_status: grpcStatus === undefined ? "" : String(grpcStatus),
      });
      this.#cache.set(key, counter);
    }
    counter.add(1);
  }
}

/** A rule by its name, or by its place in the object. */
export const ruleLabel = ({ ruleName, ruleIndex }: MatchedRule): string => ruleName ?? String(ruleIndex);
