import type { ServiceName } from "../service.ts";

/** A route as a proxy needs it: Gateway API's HTTPRoute or GRPCRoute, attached to a port of a Service (GEP-1294). */
export interface Route<Match> {
  readonly namespace: string;
  readonly name: string;
  /** Unix time of `creationTimestamp`; Infinity where no API server has stored it. */
  readonly createdMs: number;
  readonly rules: readonly RouteRule<Match>[];
}

export type HttpRoute = Route<HttpMatch>;
export type GrpcRoute = Route<GrpcMatch>;

/** What happens to requests that one of the matches holds. */
export interface RouteRule<Match, Target = BackendTarget> {
  /** Position in the object: `spec.rules[index]`. */
  readonly index: number;
  readonly name: string | undefined;
  readonly matches: readonly Match[];
  readonly filters: readonly RouteFilter<Target>[];
  readonly backends: readonly WeightedBackend<Target>[];
  readonly timeouts: RouteTimeouts;
  readonly retry: RouteRetry | undefined;
  readonly sessionPersistence: SessionPersistence | undefined;
}

/** All conditions must hold. */
export interface HttpMatch {
  readonly path: PathMatch;
  readonly method: string | undefined;
  readonly headers: readonly ValueMatch[];
  readonly queryParams: readonly ValueMatch[];
}

/** `prefix` is element-wise: `/abc` holds `/abc` and `/abc/d`, not `/abcd`. */
export type PathMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "regex"; readonly value: string };

/** The value of a header (name in lower case) or of a query parameter. */
export interface ValueMatch {
  readonly kind: "exact" | "regex";
  readonly name: string;
  readonly value: string;
}

/** All conditions must hold; undefined: any service, any method. */
export interface GrpcMatch {
  readonly service: TextMatch | undefined;
  readonly method: TextMatch | undefined;
  readonly headers: readonly ValueMatch[];
}

export interface TextMatch {
  readonly kind: "exact" | "regex";
  readonly value: string;
}

/** A share of the requests is `weight` / sum of the weights of the rule. */
export interface WeightedBackend<Target = BackendTarget> {
  readonly weight: number;
  /** For requests that go to this backend only. */
  readonly filters: readonly RouteFilter<Target>[];
  readonly target: Target;
}

/** Where a backendRef leads. */
export type BackendTarget =
  | { readonly kind: "service"; readonly service: ServiceName; readonly port: number }
  /** Its share is answered with an error (500), and no other backend takes it over. */
  | { readonly kind: "invalid"; readonly reason: string };

export type RouteFilter<Target = BackendTarget> =
  | ({ readonly kind: "request-header-modifier" } & HeaderModifier)
  | ({ readonly kind: "response-header-modifier" } & HeaderModifier)
  | ({ readonly kind: "request-redirect" } & RequestRedirect)
  | ({ readonly kind: "url-rewrite" } & UrlRewrite)
  | ({ readonly kind: "cors" } & Cors)
  /** A copy goes to the target, and its response is ignored. */
  | { readonly kind: "request-mirror"; readonly target: Target; readonly share: Share }
  /** A filter that cannot be applied must not be skipped: the request is answered with an error (500). */
  | { readonly kind: "unavailable"; readonly cause: "unsupported" | "unresolved"; readonly reason: string };

/** Names in lower case; one action for each name. */
export interface HeaderModifier {
  readonly set: readonly HeaderValue[];
  readonly add: readonly HeaderValue[];
  readonly remove: readonly string[];
}

export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}

/** What is undefined stays as the request has it. */
export interface RequestRedirect {
  readonly scheme: "http" | "https" | undefined;
  readonly hostname: string | undefined;
  readonly path: PathModifier | undefined;
  readonly port: number | undefined;
  readonly statusCode: RedirectStatus;
}

export type RedirectStatus = 301 | 302 | 303 | 307 | 308;

export interface UrlRewrite {
  readonly hostname: string | undefined;
  readonly path: PathModifier | undefined;
}

export type PathModifier =
  | { readonly kind: "full"; readonly value: string }
  /** Stands only beside matches of one prefix. */
  | { readonly kind: "prefix"; readonly value: string };

/** Lists may be `*` alone. */
export interface Cors {
  /** `scheme://host[:port]`, where the host may begin with `*`. */
  readonly allowOrigins: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly allowCredentials: boolean;
  readonly maxAgeSeconds: number;
}

export interface Share {
  readonly numerator: number;
  readonly denominator: number;
}

/** Milliseconds; 0: no timeout; undefined: the default of whoever applies it. */
export interface RouteTimeouts {
  /** The whole transaction, retries included; 504 when it is over. */
  readonly requestMs: number | undefined;
  /** One attempt, from its first byte to the end of the response. */
  readonly backendRequestMs: number | undefined;
}

export interface RouteRetry {
  /** Statuses after which to try again; failures of the connection always are such. */
  readonly codes: readonly number[];
  /** Retries, so that a request is sent once more than this at most. */
  readonly attempts: number;
  readonly backoffMs: number | undefined;
}

/** Requests of one session go to one endpoint; weights decide where the first goes (GEP-1619). */
export type SessionPersistence = SessionCookie | SessionHeader;

export interface SessionCookie {
  readonly kind: "cookie";
  /** Milliseconds; undefined: until the client forgets it. */
  readonly absoluteTimeoutMs: number | undefined;
  /** Undefined: whoever sets the cookie chooses one. */
  readonly name: string | undefined;
  readonly path: string;
  /** Whether the client keeps it when it is closed, until the timeout. */
  readonly isPermanent: boolean;
}

export interface SessionHeader {
  readonly kind: "header";
  readonly absoluteTimeoutMs: number | undefined;
  /** In lower case. */
  readonly name: string;
}

/** How many of the requests to a backend may be retries; beyond it a failure is the answer (503; GEP-3388). */
export interface RetryConstraint {
  /** Of all requests within the interval. */
  readonly percent: number;
  readonly intervalMs: number;
  /** As many are always allowed within their interval. */
  readonly minRetries: number;
  readonly minRetriesIntervalMs: number;
}

/** The routes of one sort that hold for a client: of several kinds on a port only one applies. */
export type RouteSet =
  | { readonly kind: "http"; readonly routes: readonly HttpRoute[] }
  | { readonly kind: "grpc"; readonly routes: readonly GrpcRoute[] };

/** All routes of a Service's port. */
export interface PortRoutes {
  readonly service: ServiceName;
  readonly port: number;
  /** Routes in the Service's namespace: for all clients whose namespace has none of its own. */
  readonly producer: RouteSet | undefined;
  /** By the namespace of routes and clients. */
  readonly consumers: ReadonlyMap<string, RouteSet>;
}
