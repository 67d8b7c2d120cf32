import type { ForwardDecision, ServiceTarget } from "#mesh/routes/decide-http-route.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import type { HeadChanges, HttpRequest, HttpWriter } from "../../http/message.ts";
import { backendOf } from "./backend-of.ts";
import { type Caller, EndpointAttempts } from "./endpoint-attempts.ts";
import { RequestCopy } from "./request-copy.ts";

/** Copies of one pod that are under way at a time; what is mirrored beyond them gets none. */
const MAX_COPIES = 256;

const underWay = new WeakMap<Caller["pod"], number>();

/**
 * Copies of a request, each to one endpoint of a mirror's Service. What they come to is nobody's: their responses are read and
 * thrown away, and a copy that fails or is slow does not hold the request up (Gateway API, HTTPRequestMirrorFilter).
 */
export const mirrored = (
  caller: Caller,
  snapshot: Snapshot,
  request: HttpRequest,
  changes: HeadChanges,
  { mirrors }: ForwardDecision,
  traceId: string,
): readonly HttpWriter[] =>
  // A connection that becomes another protocol's cannot be copied.
  request.upgrade.length > 0
    ? []
    : mirrors.flatMap((target) => {
        const copy = mirror(caller, snapshot, request, changes, target, traceId);
        return copy ? [copy] : [];
      });

const mirror = (
  caller: Caller,
  snapshot: Snapshot,
  request: HttpRequest,
  changes: HeadChanges,
  target: ServiceTarget,
  traceId: string,
): HttpWriter | undefined => {
  const { mesh, pod, captured } = caller;
  const destination = backendOf(snapshot, target, captured.destination);
  if ("code" in destination || (underWay.get(pod) ?? 0) >= MAX_COPIES) return undefined;
  const record = { traceId, between: () => undefined, noteEndpoint: () => undefined };
  const way = { record, destination, decision: undefined, facts: undefined, session: undefined };
  const attempts = new EndpointAttempts(caller, request, way);
  underWay.set(pod, (underWay.get(pod) ?? 0) + 1);
  return new RequestCopy({
    request,
    changes,
    connect: () => attempts.connect(),
    onOver: () => underWay.set(pod, (underWay.get(pod) ?? 1) - 1),
    onMistake: (error) => {
      if (!pod.isGone) mesh.onMistake(pod, error);
    },
  });
};
