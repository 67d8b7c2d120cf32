import { selects } from "#mesh/objects/metadata.ts";
import type { PeerAuthenticationObject } from "#mesh/objects/peer-authentication.ts";
import type { ObjectTables } from "./object-tables.ts";
import {
  type EffectiveMode,
  inheritedMode,
  oldestPolicy,
  type WorkloadAuthentication,
  workloadAuthentication,
} from "./peer-authentication.ts";

/** The PeerAuthentications of a namespace, as its workloads inherit them. */
export const namespaceMode = (tables: ObjectTables, rootNamespace: string, namespace: string): EffectiveMode => {
  const wide = (name: string): PeerAuthenticationObject | undefined =>
    oldestPolicy(tables.peerAuthentications.where("namespace", name).filter(({ selector }) => selector === undefined));
  return inheritedMode(wide(rootNamespace), namespace === rootNamespace ? undefined : wide(namespace));
};

/** What holds for a workload with these labels. A selector in the root namespace selects nothing (as in Istio). */
export const authenticationOf = (
  tables: ObjectTables,
  rootNamespace: string,
  namespace: string,
  labels: ReadonlyMap<string, string>,
): WorkloadAuthentication => {
  const inherited = namespaceMode(tables, rootNamespace, namespace);
  const selecting = tables.peerAuthentications
    .where("namespace", namespace)
    .filter(({ selector }) => selector !== undefined && selects(selector, labels));
  const own = namespace === rootNamespace ? undefined : oldestPolicy(selecting);
  return workloadAuthentication(own, inherited, rootNamespace);
};
