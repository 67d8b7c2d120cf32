import type { EnrolledPod as PodMessage } from "../channel/message.ts";
import { closeDescriptors } from "../channel/descriptor-channel.ts";
import { duplicate } from "../kernel/libc.ts";
import {
  closeNetworkNamespace,
  inNetworkNamespace,
  type NetworkNamespace,
  openNetworkNamespace,
  ownNetworkNamespace,
} from "../kernel/network-namespace.ts";
import { makeListener, makeOutbound, type OutboundKind } from "../kernel/pod-sockets.ts";
import { Capture } from "./capture.ts";
import { type EnrolmentRecord, riskyCapabilities } from "./enrolment.ts";
import { INBOUND_PORT, OUTBOUND_PORT, TUNNEL_PORT } from "./rules.ts";

/** A pod whose namespace the supervisor holds: its rules and its listening sockets. */
export class EnrolledPod {
  readonly slot: number;
  readonly record: EnrolmentRecord;
  readonly capture: Capture;
  readonly #namespace: NetworkNamespace;
  readonly #listeners: number[] = [];
  /** Index of the worker that serves it; none yet while it is negative. */
  home = -1;
  captureProblem: string | undefined;

  /** Opens the namespace. @throws Error if it is none, or the supervisor's own */
  constructor(slot: number, record: EnrolmentRecord) {
    this.slot = slot;
    this.record = record;
    this.#namespace = openNetworkNamespace(record.netns);
    if (this.#namespace.identity === ownNetworkNamespace.identity) {
      closeNetworkNamespace(this.#namespace);
      throw new Error(`${record.netns} is the node's own network namespace; capturing it would cut the node off`);
    }
    this.capture = new Capture(this.#namespace, record.probeAddresses);
  }

  get namespaceIdentity(): string {
    return this.#namespace.identity;
  }

  /** The pod as agent and workers are told of it. */
  get message(): PodMessage {
    const { uid, namespace, name, serviceAccount, addresses, node, capabilities } = this.record;
    return {
      uid,
      namespace,
      name,
      serviceAccount,
      addresses,
      node,
      riskyCapabilities: riskyCapabilities(capabilities),
    };
  }

  /**
   * Makes the listening sockets, then the rules that lead to them. Nobody accepts yet: the kernel's queue waits.
   * @throws Error with what could not be done; call {@link abandon} then
   */
  async start(): Promise<void> {
    this.capture.prepare();
    inNetworkNamespace(this.#namespace, () => {
      for (const port of [OUTBOUND_PORT, INBOUND_PORT, TUNNEL_PORT]) this.#listeners.push(makeListener(port));
    });
    await this.capture.install();
  }

  /** Duplicates of the listening sockets, to be given away: outbound, inbound, tunnel. The originals stay here. */
  duplicateListeners(): readonly number[] {
    return this.#listeners.map(duplicate);
  }

  /** Makes sockets in the pod's namespace. */
  makeSockets(kind: OutboundKind, count: number): readonly number[] {
    return inNetworkNamespace(this.#namespace, () => {
      const sockets: number[] = [];
      try {
        while (sockets.length < count) sockets.push(makeOutbound(kind));
      } catch (error) {
        closeDescriptors(sockets);
        throw error;
      }
      return sockets;
    });
  }

  /**
   * After {@link start} failed: gives back what it took. Rules that are in the namespace stay, an earlier supervisor's among
   * them: without a proxy traffic is refused, never passed in clear.
   */
  abandon(): void {
    this.capture.restore();
    closeDescriptors(this.#listeners.splice(0));
    closeNetworkNamespace(this.#namespace);
  }

  /** Closes the namespace of a pod that was never started. */
  letGo(): void {
    closeNetworkNamespace(this.#namespace);
  }

  /** Takes the rules away, closes the sockets and lets go of the namespace, which may end now. */
  async release(): Promise<void> {
    await this.capture.release();
    closeDescriptors(this.#listeners.splice(0));
    closeNetworkNamespace(this.#namespace);
  }
}
