import type { RouteRetry, RouteTimeouts } from "#mesh/routes/route.ts";
import type { Field } from "#wire/field.ts";
import type { HeadChanges, HttpClientConnection, HttpRequest, HttpResponse, HttpWriter } from "../../http/message.ts";
import type { RequestRecord } from "../vitals/request-record.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { MeshError } from "./mesh-error.ts";

/** What is to be done with a request that goes on. */
export interface ForwardingPlan {
  /** As it goes on. */
  readonly request: HttpRequest;
  readonly changes: HeadChanges;
  /**
   * Gives a connection for an attempt, at once where there is one.
   * @returns a {@link MeshError} where there is none
   */
  readonly connect: () => HttpClientConnection | MeshError | Promise<HttpClientConnection | MeshError>;
  /**
   * Whether a response says that the request has reached no application, and may go to another endpoint: the next
   * {@link connect} is for one.
   */
  readonly isUnreached?: (head: HttpResponse) => boolean;
  /** The response as the client gets it. */
  readonly response: (head: HttpResponse) => HttpResponse;
  /** Whether another proxy answers in the place of an application that it could not reach, or that broke off. */
  readonly isConnectionFailure: (head: HttpResponse) => boolean;
  /** Fields of the endpoint's informational heads and trailers, without what it may not say; the same where that is all. */
  readonly allowed: (fields: readonly Field[]) => readonly Field[];
  readonly timeouts: RouteTimeouts;
  readonly retry: RouteRetry | undefined;
  /** Asked before every retry: whether there is still room for one. */
  readonly mayRetry: () => boolean;
  /** Who gets a copy of the request; nobody waits for them. */
  readonly copies: readonly HttpWriter[];
  readonly record: RequestRecord;
  /** Of the pod, for content that may have to be sent again; where nothing is left there is one attempt. */
  readonly keeping: ByteBudget;
  /** What should not have been thrown was. The request was ended. */
  readonly onMistake: (error: unknown) => void;
}
