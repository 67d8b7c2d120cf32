import type { Inventory, InventoryPod } from "#mesh/admin/inventory.ts";
import { isToBeEnrolled, type PodObject } from "#mesh/objects/pod.ts";
import type { AddressBook } from "../addresses/address-book.ts";
import { podPlan } from "../containers/container-plan.ts";
import type { PodReport } from "../status.ts";
import { Pod, type PodHost } from "./pod.ts";
import { podNameProblem } from "./pod-sandbox.ts";
import { chooseNode } from "./schedule.ts";

export interface PodSetSettings {
  readonly host: PodHost;
  readonly book: AddressBook;
  readonly nodes: number;
  /** How many user ids there are. */
  readonly uids: number;
  /** A pod of this name is gone for good. */
  readonly onGone: (pod: { readonly namespace: string; readonly name: string }) => void;
}

interface Member {
  readonly namespace: string;
  readonly name: string;
  readonly pod: Pod;
  node: number | undefined;
  declared: boolean;
}

/** All pods of a mesh, each on its way to what is declared. */
export class PodSet {
  readonly #settings: PodSetSettings;
  readonly #members = new Map<string, Member>();

  constructor(settings: PodSetSettings) {
    this.#settings = settings;
  }

  /** Starts what is new, changes what changed, ends what is no longer declared. */
  apply(inventory: Inventory): void {
    const labels = new Map(inventory.namespaces.map(({ name, labels }) => [name, new Map(Object.entries(labels))]));
    const declared = new Set(inventory.pods.map(podKey));
    for (const [key, member] of this.#members) {
      if (declared.has(key) || !member.declared) continue;
      member.declared = false;
      member.node = undefined;
      member.pod.declare(undefined);
      this.#forgetWhenGone(key, member);
    }
    for (const pod of inventory.pods) this.#declare(pod, labels.get(pod.namespace) ?? new Map());
  }

  refreshHosts(): void {
    for (const { pod } of this.#members.values()) pod.refreshHosts();
  }

  captureLost(uid: string, reason: string): void {
    for (const { pod } of this.#members.values()) if (pod.uid === uid) pod.captureLost(reason);
  }

  async endAll(graceLimitMs: number): Promise<void> {
    await Promise.all([...this.#members.values()].map(({ pod }) => pod.end(graceLimitMs)));
  }

  find(namespace: string, name: string): Pod | undefined {
    return this.#members.get(podKey({ namespace, name }))?.pod;
  }

  get reports(): readonly PodReport[] {
    return [...this.#members]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { namespace, name, pod }]) => pod.report({ namespace, name }));
  }

  #declare(pod: InventoryPod, namespaceLabels: ReadonlyMap<string, string>): void {
    const { host, uids } = this.#settings;
    const key = podKey(pod);
    const { namespace, name } = pod;
    const member = this.#members.get(key) ?? {
      namespace,
      name,
      pod: new Pod(key, host),
      node: undefined,
      declared: true,
    };
    this.#members.set(key, member);
    member.declared = true;
    const node = this.#nodeFor(pod, member);
    const plan = podPlan(pod, uids);
    const nameProblem = podNameProblem(pod);
    const problems = [
      ...(nameProblem === undefined ? [] : [nameProblem]),
      ...(plan.ok ? [] : plan.error),
      ...(node.ok ? [] : [node.error]),
    ];
    if (problems.length > 0 || !plan.ok || !node.ok) {
      member.pod.object(problems);
      return;
    }
    member.node = node.value;
    const enrol = isToBeEnrolled(namespaceLabels, podObject(pod));
    member.pod.declare({ pod, plan: plan.value, node: node.value, enrol });
  }

  #nodeFor(pod: InventoryPod, member: Member) {
    const { nodes, book } = this.#settings;
    const podsOnNodes = Array.from(
      { length: nodes },
      (_, index) => [...this.#members.values()].filter(({ node }) => node === index + 1).length,
    );
    return chooseNode(pod, podsOnNodes, member.node ?? book.nodeOfPod(podKey(pod)));
  }

  #forgetWhenGone(key: string, member: Member): void {
    void member.pod.settled.then(() => {
      if (member.declared || this.#members.get(key) !== member) return;
      this.#members.delete(key);
      this.#settings.onGone(member);
    });
  }
}

export const podKey = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`;

/** The pod as the mesh's own rules read it. */
const podObject = (pod: InventoryPod): PodObject => ({
  ...pod,
  metadata: {
    namespace: pod.namespace,
    name: pod.name,
    uid: "",
    labels: new Map(Object.entries(pod.labels)),
    annotations: new Map(Object.entries(pod.annotations)),
    creationTimestamp: undefined,
    deletionTimestamp: undefined,
    owners: [],
  },
  status: { phase: "Pending", addresses: [], ready: false },
});
