import type { RetryBudget } from "#mesh/routes/retry-budget.ts";
import type { RouteRetry, RouteTimeouts } from "#mesh/routes/route.ts";
import type { Field } from "#wire/field.ts";
import type { HeadChanges, HttpClientConnection, HttpRequest, HttpResponse, HttpWriter } from "../../http/message.ts";
import type { RequestRecord } from "../vitals/request-record.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { MeshError } from "./mesh-error.ts";

/** Where a request goes. */
export interface Endpoints {
  /**
   * Gives a connection for an attempt, at once where there is one.
   * @returns a {@link MeshError} where there is none
   */
  connect(): HttpClientConnection | MeshError | Promise<HttpClientConnection | MeshError>;
  /** What a response says of the endpoint's proxy, where that one answers in the place of its application. */
  failureOf(head: HttpResponse): EndpointFailure | undefined;
  /** The next {@link connect} is for another endpoint. @param head that says "unreached" */
  avoid(head: HttpResponse): void;
  /** The response as the client gets it. @param failure what {@link failureOf} says of it */
  response(head: HttpResponse, failure: EndpointFailure | undefined): HttpResponse;
  /** Fields of the endpoint's informational heads and trailers, without what it may not say; the same where that is all. */
  allowed(fields: readonly Field[]): readonly Field[];
}

/**
 *     unreached    the request has reached no application: it may go to another endpoint
 *     connection   it may have reached one, which broke off
 *     denied       the caller may not: an answer like others
 */
export type EndpointFailure = "unreached" | "connection" | "denied";

/** What is to be done with a request that goes on. */
export interface ForwardingPlan {
  /** As it goes on. */
  readonly request: HttpRequest;
  readonly changes: HeadChanges;
  readonly endpoints: Endpoints;
  readonly timeouts: RouteTimeouts;
  readonly retry: RouteRetry | undefined;
  /** Asked before every retry: whether there is still room for one. Undefined: there is. */
  readonly budget: Pick<RetryBudget, "takeRetry"> | undefined;
  /** Who gets a copy of the request; nobody waits for them. */
  readonly copies: readonly HttpWriter[];
  readonly record: RequestRecord;
  /** Of the pod, for content that may have to be sent again; where nothing is left there is one attempt. */
  readonly keeping: ByteBudget;
  /** What should not have been thrown was. The request was ended. */
  readonly onMistake: (error: unknown) => void;
}
