import type {
  ControlPlaneDump,
  NodeStatus,
  ObjectStatus,
  ServiceStatus,
  WorkloadStatus,
} from "#mesh/admin/control-plane-status.ts";
import type { Service } from "#mesh/service.ts";
import { serviceName } from "#mesh/service.ts";
import { type Workload, workloadIdentity } from "#mesh/workload.ts";
import { nameKey } from "../collect/file-objects.ts";
import type { MeshModel } from "../derive/mesh-model.ts";
import { objectWarnings } from "../derive/object-warnings.ts";

/** Everything the control plane knows, in the order of names. */
export const configDump = (
  model: MeshModel,
  objects: readonly ObjectStatus[],
  nodes: readonly NodeStatus[],
  statusFolder?: ControlPlaneDump["statusFolder"],
): ControlPlaneDump => ({
  objects: withDerived(withWarnings(objects, warningsOf(model)), model),
  workloads: [...model.workloads()].map((workload) => workloadStatus(workload, model)).sort(by(({ uid }) => uid)),
  services: [...model.services().values()].map((service) => serviceStatus(service, model)).sort(by(({ name }) => name)),
  policies: [...model.policies()]
    .map(([name, { scope, action }]) => ({ name, scope, action }))
    .sort(by(({ name }) => name)),
  nodes,
  statusFolder: statusFolder && { path: statusFolder.path, problem: statusFolder.problem },
});

const warningsOf = (model: MeshModel): ReadonlyMap<string, readonly string[]> =>
  objectWarnings(model.tables, model.context.rootNamespace, model.routes.statuses(), model.backends.statuses());

/** What became of the version of a route or a policy that is in force. */
const withDerived = (objects: readonly ObjectStatus[], { routes, backends }: MeshModel): readonly ObjectStatus[] =>
  objects.map((object) => {
    if (!object.serving) return object;
    const parents = routes.statuses().get(nameKey(object));
    const ancestors = backends.statuses().get(nameKey(object));
    return { ...object, ...(parents && { parents }), ...(ancestors && { ancestors }) };
  });

/** What the whole says of an object concerns the declaration of it that is in force. */
const withWarnings = (
  objects: readonly ObjectStatus[],
  warnings: ReadonlyMap<string, readonly string[]>,
): readonly ObjectStatus[] =>
  objects.map((object) => {
    const more = object.accepted && object.serving ? warnings.get(nameKey(object)) : undefined;
    return more ? { ...object, warnings: [...object.warnings, ...more] } : object;
  });

const workloadStatus = (workload: Workload, model: MeshModel): WorkloadStatus => ({
  uid: workload.uid,
  namespace: workload.namespace,
  name: workload.name,
  addresses: workload.addresses,
  node: workload.node,
  identity: workloadIdentity(workload),
  tunnel: workload.tunnel,
  health: workload.health,
  mode: model.modeOf(workload.uid),
  services: [...workload.services.keys()],
  policies: workload.policies,
});

const serviceStatus = (service: Service, model: MeshModel): ServiceStatus => {
  const name = serviceName(service);
  return {
    name,
    addresses: service.addresses,
    ports: service.ports,
    endpoints: model
      .endpoints(name)
      .map(({ uid }) => uid)
      .sort(),
  };
};

const by =
  <Item>(key: (item: Item) => string) =>
  (a: Item, b: Item): number =>
    key(a) < key(b) ? -1 : 1;
