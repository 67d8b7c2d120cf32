import { type SpiffeId, spiffeIdOf, type TrustDomain } from "#mesh/spiffe-id.ts";
import type { EnrolledPod } from "../channel/message.ts";
import type { CertificateOwner } from "./certificates/certificate-entry.ts";

/** A pod of this node, as the supervisor told of it. */
export interface NodePod {
  readonly slot: number;
  readonly worker: number;
  readonly pod: EnrolledPod;
  readonly identity: SpiffeId;
  captureProblem: string | undefined;
}

/** The enrolled pods of this node, and which worker is the home of each. */
export class NodePods {
  readonly #trustDomain: TrustDomain;
  readonly #pods = new Map<number, NodePod>();
  /** The enroller has named all there are. */
  isComplete = false;

  constructor(trustDomain: TrustDomain) {
    this.#trustDomain = trustDomain;
  }

  /** A pod was enrolled, or moved to another worker. */
  set(slot: number, worker: number, pod: EnrolledPod): void {
    const identity = spiffeIdOf({
      trustDomain: this.#trustDomain,
      namespace: pod.namespace,
      serviceAccount: pod.serviceAccount,
    });
    const captureProblem = this.#pods.get(slot)?.captureProblem;
    this.#pods.set(slot, { slot, worker, pod, identity, captureProblem });
  }

  delete(slot: number): void {
    this.#pods.delete(slot);
  }

  get(slot: number): NodePod | undefined {
    return this.#pods.get(slot);
  }

  /** Whether a worker is the home of a pod of this name. */
  isHome(worker: number, namespace: string, name: string): boolean {
    for (const each of this.#pods.values()) {
      if (each.worker === worker && each.pod.name === name && each.pod.namespace === namespace) return true;
    }
    return false;
  }

  get all(): readonly NodePod[] {
    return [...this.#pods.values()];
  }

  /** One certificate for each identity and home. */
  get certificateOwners(): readonly CertificateOwner[] {
    return this.all.map(({ identity, worker }) => ({ identity, worker }));
  }
}
