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
import { listenerProblem, makeListener, makeOutbound, type OutboundKind } from "../kernel/pod-sockets.ts";
import { Capture, type CaptureState } from "./capture.ts";
import type { CapturedNamespaces } from "./captured-namespaces.ts";
import { type EnrolmentRecord, riskyCapabilities } from "./enrolment.ts";
import { INBOUND_PORT, OUTBOUND_PORT, TUNNEL_PORT } from "./rules.ts";

const PORTS = [OUTBOUND_PORT, INBOUND_PORT, TUNNEL_PORT];

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

  /**
   * @param captured where it is remembered what the namespace was before
   * @param namespace the one at the record's path if nobody else gave it to us; it is the pod's from now on
   * @throws Error if there is none, or it is the supervisor's own
   */
  constructor(
    slot: number,
    record: EnrolmentRecord,
    captured: CapturedNamespaces,
    namespace = openNetworkNamespace(record.netns),
  ) {
    this.slot = slot;
    this.record = record;
    this.#namespace = namespace;
    if (this.#namespace.identity === ownNetworkNamespace.identity) {
      closeNetworkNamespace(this.#namespace);
      throw new Error(`${record.netns} is the node's own network namespace; capturing it would cut the node off`);
    }
    const { identity } = namespace;
    this.capture = new Capture(this.#namespace, record.probeAddresses, {
      recall: () => captured.read(identity)?.sysctls ?? new Map(),
      keep: (sysctls) => captured.write(identity, { record, sysctls }),
      forget: () => captured.forget(identity),
    });
  }

  /** What it is called in the log. */
  get title(): string {
    return `${this.record.namespace}/${this.record.name}`;
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
      for (const port of PORTS) this.#listeners.push(makeListener(port));
    });
    await this.capture.install();
  }

  /**
   * Takes over listening sockets that an earlier supervisor made, and its rules.
   * @param listeners outbound, inbound, tunnel; they are the pod's from now on
   * @throws Error if they are not what {@link start} would have made; call {@link forget} then
   */
  async adopt(listeners: readonly number[], capture: CaptureState): Promise<void> {
    this.#listeners.push(...listeners);
    for (const [index, port] of PORTS.entries()) {
      const problem = listenerProblem(this.#listeners[index] ?? -1, port, this.#namespace);
      if (problem !== undefined) throw new Error(`the socket for port ${port}: ${problem}`);
    }
    await this.capture.adopt(capture);
  }

  /** Everything that another supervisor needs to take the pod over: its namespace, then the listening sockets. */
  duplicateAll(): readonly number[] {
    return [this.#namespace.fd, ...this.#listeners].map(duplicate);
  }

  /** Another supervisor has the listening sockets: with ours gone they end with it. */
  closeListeners(): void {
    closeDescriptors(this.#listeners.splice(0));
  }

  /** Lets go of the namespace, in which another supervisor's rules stay. */
  forget(): void {
    this.closeListeners();
    closeNetworkNamespace(this.#namespace);
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
    this.capture.abandon();
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
