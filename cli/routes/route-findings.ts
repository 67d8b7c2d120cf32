import type { ObjectStatus, RouteParentStatus } from "#mesh/admin/control-plane-status.ts";
import type { Finding } from "../diagnosis.ts";

/** What is not as whoever wrote a route wants it: conditions that are not good, in the words of the status. */
export const routeFindings = (objects: readonly ObjectStatus[]): readonly Finding[] =>
  objects.flatMap((object): readonly Finding[] => {
    const about = `${object.kind} ${object.namespace}/${object.name} (${object.source})`;
    if (!object.accepted) {
      const reasons = object.problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
      const consequence = object.serving ? "is refused, and its last good version stays in force" : "is refused";
      return [{ severity: "problem", about, text: `${consequence}: ${reasons.join("; ")}` }];
    }
    return (object.parents ?? []).flatMap((parent) => parentFindings(about, object.namespace, parent));
  });

const parentFindings = (
  about: string,
  namespace: string,
  { parentRef, conditions }: RouteParentStatus,
): readonly Finding[] => {
  const service = `${parentRef.namespace ?? namespace}/${parentRef.name}`;
  const at = parentRef.port === undefined ? service : `${service}:${parentRef.port}`;
  return conditions
    .filter(({ type, status }) => (status === "True") === (type === "PartiallyInvalid"))
    .map(({ type, status, reason, message }) => ({
      severity: "problem",
      about,
      text: `${type}=${status} (${reason}) at Service ${at}: ${message}`,
    }));
};

/** Whether a route is about a Service: it is one of its parents, or it has no parent that is known. */
export const isAboutService = (object: ObjectStatus, namespace: string, name: string): boolean =>
  (object.parents ?? []).some(
    ({ parentRef }) => (parentRef.namespace ?? object.namespace) === namespace && parentRef.name === name,
  );
