import { decideHttpRoute, type RouteDecision } from "../routes/decide-http-route.ts";
import type { RequestFacts } from "../routes/request-facts.ts";
import type { PortRoutes, RouteSet } from "../routes/route.ts";
import { compileTable, type RouteTable } from "../routes/route-table.ts";
import type { Fields } from "./route-yaml.ts";
import { fieldList, grpcRoute, httpRoute, requestFacts } from "./routes.ts";

/** HTTPRoutes of a producer: one, with these rules. */
export const http = (...rules: readonly Fields[]): RouteSet => ({ kind: "http", routes: [httpRoute({ rules })] });
/** The same of GRPCRoutes. */
export const grpc = (...rules: readonly Fields[]): RouteSet => ({ kind: "grpc", routes: [grpcRoute({ rules })] });

/** The routes of Service shop/echo, port 80. */
export const tableOf = (producer: RouteSet | undefined, more: Partial<PortRoutes> = {}): RouteTable =>
  compileTable([{ service: "shop/echo", port: 80, producer, consumers: new Map(), ...more }]);

/** The decision about a GET for a target. */
export const decide = (
  producer: RouteSet,
  target: string,
  more: Partial<RequestFacts> = {},
  random = 0,
): RouteDecision => decideHttpRoute(tableOf(producer), requestFacts(target, more), () => random);

/** The name of the backend that gets a request, or the kind of decision and its status. */
export const outcome = (decision: RouteDecision): string => {
  if (decision.kind === "forward") return decision.backend.service.replace("shop/", "");
  return "status" in decision ? `${decision.kind} ${decision.status}` : decision.kind;
};

/** A backendRef. */
export const to = (name: string, weight = 1): Fields => ({ name, port: 80, weight });
/** A match of a path. */
export const path = (value: string, type = "PathPrefix"): Fields => ({ path: { type, value } });
/** A match of a header. */
export const header = (name: string, value: string): Fields => ({ headers: [{ name, value }] });
/** A match of a query parameter. */
export const query = (name: string, value: string): Fields => ({ queryParams: [{ name, value }] });
/** A request with these fields. */
export const withHeaders = (...pairs: readonly (readonly [string, string])[]): Partial<RequestFacts> => ({
  fields: fieldList(...pairs),
});
/** A request with this field Version. */
export const version = (value: string) => withHeaders(["Version", value]);
/** A request of a gRPC client. */
export const GRPC = withHeaders(["Content-Type", "application/grpc+proto"]);
