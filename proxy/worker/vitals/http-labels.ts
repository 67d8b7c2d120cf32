import type { Labels } from "../../channel/worker-report.ts";
import type { HttpResponseFlag } from "./http-response-flag.ts";
import { type ConnectionEnds, endLabels, securityLabels, serviceLabels } from "./tcp-labels.ts";

/** How a request ended, as far as metrics tell it. */
export interface RequestOutcome {
  /** Status of the head that the client got; 0: none. */
  readonly status: number;
  /** 0 to 16; undefined: not gRPC. */
  readonly grpcStatus: number | undefined;
  readonly flag: HttpResponseFlag;
}

/** The labels of Istio's HTTP metrics that the ends of a request have, in Istio's names and with its word for what is not known. */
export const httpEndLabels = (ends: ConnectionEnds): Labels => ({
  reporter: ends.reporter,
  ...endLabels("source", ends.source, ends.sourcePrincipal),
  ...endLabels("destination", ends.destination, ends.destinationPrincipal),
  ...serviceLabels(ends.service),
  ...securityLabels(ends),
});

/**
 * And those that its end adds: `grpc_response_status` is empty where the request is not gRPC, which Prometheus takes for
 * absent.
 */
export const httpOutcomeLabels = (
  { status, grpcStatus, flag }: RequestOutcome,
  code: string = String(status),
): Labels => ({
  request_protocol: grpcStatus === undefined ? "http" : "grpc",
  response_code: code,
  grpc_response_status: grpcStatus === undefined ? "" : String(grpcStatus),
  response_flags: flag,
});

/** `2xx`, as `heddle_route_requests_total` says it; `none` where the client got no head. */
export const responseCodeClass = (status: number): string => (status === 0 ? "none" : `${Math.floor(status / 100)}xx`);
