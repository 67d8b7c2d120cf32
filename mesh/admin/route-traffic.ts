/** GET /route-traffic of a node's agent: what the rules of routes did with the requests of its pods, since the agent started. */
export interface RouteTraffic {
  /** Upper bounds of the buckets of durations, in milliseconds; one bucket more has none. */
  readonly bounds: readonly number[];
  readonly requests: readonly CountedRequests[];
  readonly durations: readonly ObservedDurations[];
}

/** A rule, and one of its backends. Empty: the rule itself answered, with a redirect or because it leads nowhere. */
export interface RouteBackendKey {
  /** `namespace/name` of the route. */
  readonly route: string;
  /** The rule's name, or its place in the object. */
  readonly rule: string;
  /** `namespace/hostname:port`. */
  readonly backend: string;
}

export interface CountedRequests extends RouteBackendKey {
  /** `2xx`; `none` where the client got no answer. */
  readonly codeClass: string;
  /** 0 to 16; empty where it is not gRPC. */
  readonly grpcStatus: string;
  readonly total: number;
}

export interface ObservedDurations extends RouteBackendKey {
  /** How often in each bucket alone. */
  readonly counts: readonly number[];
  /** Milliseconds. */
  readonly sum: number;
}
