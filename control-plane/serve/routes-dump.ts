import type { ObjectStatus } from "#mesh/admin/control-plane-status.ts";
import type { RoutedPort, RoutedSet, RoutesDump } from "#mesh/admin/routes-dump.ts";
import type { PortRoutes } from "#mesh/routes/route.ts";
import type { MeshModel } from "../derive/mesh-model.ts";

/** What the routes of all Services are. @param objects everything that is declared, with what became of it */
export const routesDump = (model: MeshModel, objects: readonly ObjectStatus[]): RoutesDump => ({
  ports: [...model.routes.routes().values()].flat().map(routedPort).sort(byName),
  objects: objects.filter(({ kind }) => kind === "HTTPRoute" || kind === "GRPCRoute"),
});

const routedPort = ({ service, port, producer, consumers }: PortRoutes): RoutedPort => {
  const [namespace = "", hostname = ""] = service.split("/");
  const sets: RoutedSet[] = [...consumers].map(([own, set]) => ({ group: "consumer", namespace: own, ...set }));
  sets.sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
  return {
    namespace,
    name: hostname.split(".")[0] ?? "",
    port,
    sets: producer ? [{ group: "producer", namespace, ...producer }, ...sets] : sets,
  };
};

const byName = (a: RoutedPort, b: RoutedPort): number => {
  const [first, second] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`];
  return first === second ? a.port - b.port : first < second ? -1 : 1;
};
