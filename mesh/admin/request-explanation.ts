import type { Mismatch } from "../routes/compiled-match.ts";
import type { MatchedRule } from "../routes/decide-http-route.ts";
import type {
  HeaderValue,
  RedirectStatus,
  RetryConstraint,
  RouteFilter,
  RouteRetry,
  RouteTimeouts,
  SessionPersistence,
  Share,
} from "../routes/route.ts";

/** POST /explain/request of a node's agent: a request that a pod might send. */
export interface RequestQuestion {
  readonly from: PodReference;
  /** `http://host[:port]/path?query`; also `https:`, `h2c:` for HTTP/2 with prior knowledge, and `grpc:` for a call of gRPC. */
  readonly url: string;
  /** GET by default; POST for gRPC. */
  readonly method?: string | undefined;
  readonly headers?: readonly HeaderValue[] | undefined;
}

export interface PodReference {
  readonly namespace: string;
  readonly name: string;
}

/** The answer: what would become of the request, stage by stage, by what the node decides by. Nothing is sent. */
export interface RequestExplanation {
  readonly node: string;
  /** What it is decided by: as received, and as it is enforced by all workers of the node. */
  readonly config: { readonly version: string; readonly generation: number; readonly enforced: number };
  readonly source: ExplainedSource;
  readonly request: ExplainedRequest;
  readonly destination: ExplainedDestination;
  /** Undefined where there is no destination. */
  readonly protocol: ExplainedProtocol | undefined;
  /** Undefined where routes are not looked at. */
  readonly routes: ExplainedRoutes | undefined;
  readonly outcome: ExplainedOutcome;
}

export interface ExplainedSource extends PodReference {
  readonly node: string;
  readonly addresses: readonly string[];
  /** What it proves to others; undefined where it is not in the mesh. */
  readonly identity: string | undefined;
}

export interface ExplainedRequest {
  readonly method: string;
  readonly authority: string;
  /** Path and query. */
  readonly target: string;
  readonly fields: readonly HeaderValue[];
}

export type ExplainedDestination =
  | {
      readonly kind: "service";
      readonly service: PodReference;
      readonly hostname: string;
      /** The virtual address that is called; undefined for a headless Service, whose pods are called by their own. */
      readonly address: string | undefined;
      readonly port: number;
    }
  | { readonly kind: "workload"; readonly workload: PodReference; readonly address: string; readonly port: number }
  | { readonly kind: "unknown"; readonly address: string; readonly port: number }
  /** It does not leave the pod, has no address, or is refused. */
  | { readonly kind: "none"; readonly message: string };

export interface ExplainedProtocol {
  /** HTTP: each request is routed by itself; `opaque`: bytes are passed on. */
  readonly spoken: "HTTP/1.1" | "HTTP/2" | "opaque";
  readonly message: string;
}

export interface ExplainedRoutes {
  /** Whose routes hold: those of the Service's namespace, or of the caller's own; undefined: there are none. */
  readonly group: "producer" | "consumer" | undefined;
  readonly kind: "HTTPRoute" | "GRPCRoute" | undefined;
  /** In the order of precedence, the first {@link MAX_LISTED}. */
  readonly candidates: readonly ExplainedCandidate[];
  readonly total: number;
}

export interface ExplainedCandidate {
  readonly rule: MatchedRule;
  readonly outcome: "chosen" | "behind" | "mismatch";
  readonly mismatch: Mismatch | undefined;
}

export type ExplainedOutcome =
  | { readonly kind: "nowhere"; readonly message: string }
  /** As it came, to an address that the mesh knows nothing of. */
  | { readonly kind: "passthrough"; readonly message: string }
  /** No route has a say: the endpoints in turn. */
  | { readonly kind: "unrouted"; readonly endpoints: ExplainedEndpoints }
  | ExplainedForwarding
  | {
      readonly kind: "redirect";
      readonly rule: MatchedRule;
      readonly status: RedirectStatus;
      readonly location: string;
      readonly responseFilters: readonly RouteFilter[];
    }
  | {
      readonly kind: "respond";
      readonly rule: MatchedRule;
      readonly status: number;
      readonly fields: readonly HeaderValue[];
    }
  | {
      readonly kind: "error";
      readonly rule: MatchedRule | undefined;
      readonly status: number;
      readonly reason: string;
    };

/** What a rule does, for each of the backends that a request may get. */
export interface ExplainedForwarding {
  readonly kind: "forward";
  readonly rule: MatchedRule;
  readonly timeouts: RouteTimeouts;
  readonly retry: RouteRetry | undefined;
  readonly backends: readonly ExplainedBackend[];
}

export interface ExplainedBackend {
  /** `namespace/name:port`; undefined where the reference leads nowhere. */
  readonly service: string | undefined;
  readonly weight: number;
  /** Of the requests that follow the rule, 0 to 1. */
  readonly share: number;
  readonly outcome: ExplainedBackendOutcome;
}

export type ExplainedBackendOutcome =
  | {
      readonly kind: "forward";
      /** As the backend gets it, what the mesh adds to every request left out. */
      readonly request: ExplainedRequest;
      readonly responseFilters: readonly RouteFilter[];
      readonly mirrors: readonly ExplainedMirror[];
      /** In which the request goes on. */
      readonly version: "HTTP/1.1" | "HTTP/2";
      /** How many retries the Service may get, of all that lead to it; undefined: as many as the rule has. */
      readonly retryConstraint: RetryConstraint | undefined;
      readonly endpoints: ExplainedEndpoints;
    }
  | { readonly kind: "error"; readonly status: number; readonly reason: string }
  | { readonly kind: "never"; readonly reason: "its weight is 0" | "the session is at another backend" };

export interface ExplainedMirror {
  /** `namespace/name:port`, or why there is none. */
  readonly target: string;
  readonly share: Share;
}

export interface ExplainedEndpoints {
  /** How many there are, and how many of them get requests. */
  readonly total: number;
  readonly eligible: number;
  /** The eligible ones first, {@link MAX_LISTED} at most. */
  readonly listed: readonly ExplainedEndpoint[];
  /** Why there cannot be any. */
  readonly problem: string | undefined;
  /** Undefined where every request takes its turn. */
  readonly session: ExplainedSession | undefined;
}

/** What keeps the requests of a session at one endpoint. */
export interface ExplainedSession {
  readonly persistence: SessionPersistence;
  /** The address at which this request's session is; undefined: it has none, and gets one with the answer. */
  readonly endpoint: string | undefined;
}

export interface ExplainedEndpoint {
  readonly workload: PodReference;
  readonly node: string;
  readonly address: string | undefined;
  /** Why it gets no requests; undefined where it does. */
  readonly excluded: string | undefined;
  /** In a tunnel to a pod that must prove this identity; over TLS to a server that must prove this name; or in clear. */
  readonly way:
    | { readonly kind: "tunnel"; readonly identity: string }
    | { readonly kind: "tls"; readonly hostname: string }
    | { readonly kind: "plaintext" }
    | undefined;
  readonly verdict: ExplainedVerdict | undefined;
}

/** What the called pod's own proxy says. */
export type ExplainedVerdict =
  | { readonly kind: "allowed"; readonly policy: string | undefined; readonly policies: readonly string[] }
  | { readonly kind: "denied"; readonly reason: string; readonly message: string; readonly policies: readonly string[] }
  /** It is not in the mesh: nobody judges. */
  | { readonly kind: "unguarded" };

/** Candidates, and endpoints of a backend, beyond which an explanation only counts. */
export const MAX_LISTED = 200;
