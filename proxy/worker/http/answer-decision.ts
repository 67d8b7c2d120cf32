import { applyResponseFilters, type RouteDecision } from "#mesh/routes/decide-http-route.ts";
import type { RequestFacts } from "#mesh/routes/request-facts.ts";
import { field } from "#wire/http1/head.ts";
import type { HttpAnswer, HttpReader, HttpRequest } from "../../http/message.ts";
import type { RequestRecord } from "../vitals/request-record.ts";
import { Discarding } from "./discarding.ts";
import { NO_ROUTE, response } from "./mesh-error.ts";
import { refuse } from "./refuse.ts";

/** Answers what goes to no backend. */
export const answerDecision = (
  request: HttpRequest,
  answer: HttpAnswer,
  record: RequestRecord,
  decision: Exclude<RouteDecision, { kind: "forward" | "unrouted" }>,
  facts: RequestFacts,
): HttpReader => {
  if (decision.kind === "not-found") return refuse(request, answer, record, NO_ROUTE);
  record.noteRoute(decision.rule, undefined);
  if (decision.kind === "error") {
    return refuse(request, answer, record, {
      status: decision.status,
      grpcStatus: "UNAVAILABLE",
      code: decision.status === 503 ? "no-backend" : "invalid-backend",
      message: decision.reason,
      flag: "NC",
    });
  }
  const isRedirect = decision.kind === "redirect";
  const fields = isRedirect
    ? applyResponseFilters(decision.responseFilters, facts, [field("location", decision.location)])
    : decision.fields;
  record.responded(decision.status);
  answer.head(response(decision.status, fields, isRedirect ? 0 : undefined, true));
  answer.end([]);
  record.close("-");
  return new Discarding(answer);
};
