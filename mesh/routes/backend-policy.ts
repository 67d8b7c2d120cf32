import type { ServiceName } from "../service.ts";
import type { RetryConstraint, SessionPersistence } from "./route.ts";

/** What holds for all requests to a Service, whichever route led them there (Gateway API's policies with a Service as target). */
export interface BackendPolicy {
  readonly service: ServiceName;
  readonly retryConstraint: RetryConstraint | undefined;
  /** That of a route's rule goes before it. */
  readonly sessionPersistence: SessionPersistence | undefined;
}
