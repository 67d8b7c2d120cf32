import type { ServiceName } from "../service.ts";
import { emptySharedMap, sharedGet, type SharedMap, sharedWith } from "../shared-map.ts";
import type { PortRoutes } from "./route.ts";
import { compileRoutes, type RouteMatcher } from "./route-matcher.ts";

/** The routes of all Services, compiled, by {@link portKey}. */
export type RouteTable = SharedMap<PortKey, PortMatchers>;

/** `<namespace>/<hostname>:<port>`. */
export type PortKey = `${ServiceName}:${number}`;

export const portKey = (service: ServiceName, port: number): PortKey => `${service}:${port}`;

/** The compiled routes of a Service's port. */
export interface PortMatchers {
  readonly producer: RouteMatcher | undefined;
  /** By the namespace of clients. */
  readonly consumers: ReadonlyMap<string, RouteMatcher>;
}

/** Sorts and indexes the routes of a port, once. */
export const compilePort = ({ producer, consumers }: PortRoutes): PortMatchers => ({
  producer: producer && compileRoutes(producer),
  consumers: new Map([...consumers].map(([namespace, set]) => [namespace, compileRoutes(set)])),
});

export const compileTable = (ports: Iterable<PortRoutes>): RouteTable =>
  tableWith(emptySharedMap(), new Map([...ports].map((port) => [portKey(port.service, port.port), port])));

/**
 * The next table; undefined: the port has no routes any more. Compiles what is new, and shares the rest.
 * @throws Error on a regular expression that cannot be compiled: whoever reads routes keeps those out
 */
export const tableWith = (table: RouteTable, changes: ReadonlyMap<PortKey, PortRoutes | undefined>): RouteTable =>
  sharedWith(
    table,
    Array.from(changes, ([key, port]) => [key, port && compilePort(port)] as const),
  );

/** Whose routes hold. */
export interface ChosenRoutes {
  readonly group: "producer" | "consumer";
  readonly matcher: RouteMatcher;
}

/**
 * The routes that hold for a client: those of its own namespace if there are any, and then only those; else those of the
 * Service's namespace (GEP-1294). Undefined: there are none, and the Service is served as without routes.
 */
export const routesFor = (
  table: RouteTable,
  service: ServiceName,
  port: number,
  sourceNamespace: string,
): ChosenRoutes | undefined => {
  const matchers = sharedGet(table, portKey(service, port));
  const consumer = matchers?.consumers.get(sourceNamespace);
  if (consumer) return { group: "consumer", matcher: consumer };
  return matchers?.producer && { group: "producer", matcher: matchers.producer };
};
