import type { RouteObject } from "./route-references.ts";

/** What a person should know about a route that is in order by itself. */
export const routeWarnings = (route: RouteObject): readonly string[] => [
  // Goes when routes reach the nodes.
  "has no effect yet: nodes do not route HTTP, and its Services are served as without it",
  ...(route.hostnames.length > 0 ? ["hostnames have no meaning for a Service as parent (GEP-1294)"] : []),
  ...route.rules.flatMap(({ index, ignored }) =>
    ignored.map((field) => `spec.rules[${index}].${field} is ignored: it is not supported yet`),
  ),
];
