import { type Field } from "#mesh/routes/field.ts";
import type { ForwardDecision, MatchedRule, PinBackend, ServiceTarget } from "#mesh/routes/decide-http-route.ts";
import type { SessionPersistence } from "#mesh/routes/route.ts";
import { serviceName } from "#mesh/service.ts";
import { backendPolicyOf, type Snapshot, workloadsOf } from "#mesh/snapshot.ts";
import type { SocketAddress } from "#mesh/socket-address.ts";
import type { Workload } from "#mesh/workload.ts";
import type { Reachable } from "../connect-destination.ts";
import type { Endpoint } from "../select/endpoint.ts";
import { endpointAt } from "../select/round-robin.ts";
import {
  endpointMark,
  ruleScope,
  serviceScope,
  sessionField,
  sessionOf,
  type SessionScope,
} from "../select/session-persistence.ts";
import { backendOf } from "./backend-of.ts";

/** The session of one request, where there shall be one (GEP-1619). */
export interface Session {
  /** The endpoint that the session is at; undefined: none, or it is gone. */
  endpoint(destination: Reachable): Endpoint | undefined;
  /** The field with which a session begins, if it is not at this endpoint already. */
  begun(endpoint: Endpoint): Field | undefined;
}

/** Finds the backend of a rule that a request's session is at, so that weights decide about its first request alone. */
export const pinnedBackend =
  (snapshot: Snapshot, fields: readonly Field[], called: SocketAddress): PinBackend =>
  (rule, session, backends) => {
    const scope = ruleScope(rule.route, rule.ruleIndex);
    const token = sessionOf(session, scope, fields, Date.now());
    return (
      token &&
      backends.find(({ target }) => target.kind === "service" && has(snapshot, target, called, scope, token.mark))
    );
  };

/** @param decision undefined where no route holds */
export const sessionFor = (
  snapshot: Snapshot,
  fields: readonly Field[],
  destination: Reachable,
  decision: ForwardDecision | undefined,
): Session | undefined => {
  const session = decision?.sessionPersistence;
  if (session) return sessionIn(snapshot, session, scopeOf(decision.rule), fields);
  if (destination.kind !== "service") return undefined;
  const { service } = destination;
  const ofService = backendPolicyOf(snapshot, service)?.sessionPersistence;
  return ofService && sessionIn(snapshot, ofService, serviceScope(serviceName(service)), fields);
};

const scopeOf = (rule: MatchedRule): SessionScope => ruleScope(rule.route, rule.ruleIndex);

const sessionIn = (
  snapshot: Snapshot,
  session: SessionPersistence,
  scope: SessionScope,
  fields: readonly Field[],
): Session => {
  const token = sessionOf(session, scope, fields, Date.now());
  return {
    endpoint: (destination) => token && marked(snapshot, destination, scope, token.mark),
    begun: (endpoint) =>
      endpoint.kind === "passthrough" || token?.mark === endpointMark(scope, endpoint.workload.uid)
        ? undefined
        : sessionField(session, scope, endpoint.workload.uid, Date.now()),
  };
};

const has = (
  snapshot: Snapshot,
  target: ServiceTarget,
  called: SocketAddress,
  scope: SessionScope,
  mark: string,
): boolean => {
  const destination = backendOf(snapshot, target, called);
  return !("code" in destination) && marked(snapshot, destination, scope, mark) !== undefined;
};

/** The endpoint that a mark stands for, if it is there and may get requests. */
const marked = (
  snapshot: Snapshot,
  destination: Reachable,
  scope: SessionScope,
  mark: string,
): Endpoint | undefined => {
  if (destination.kind !== "service") return undefined;
  const { service, port, called } = destination;
  const workloads = workloadsOf(snapshot, serviceName(service));
  const workload = workloads.length === 0 ? undefined : marksOf(workloads, scope).get(mark);
  return workload && endpointAt(workload, service, port, called.address);
};

/** Each list of a Service's workloads stays as it is, and each request of a session asks: marks are made once for all of them. */
const marks = new WeakMap<readonly Workload[], Map<SessionScope, ReadonlyMap<string, Workload>>>();

const marksOf = (workloads: readonly Workload[], scope: SessionScope): ReadonlyMap<string, Workload> =>
  marks
    .getOrInsertComputed(workloads, () => new Map<SessionScope, ReadonlyMap<string, Workload>>())
    .getOrInsertComputed(
      scope,
      () => new Map(workloads.map((workload) => [endpointMark(scope, workload.uid), workload])),
    );
