import { Socket } from "node:net";
import { closeDescriptors, DescriptorSender, makeChannel, sendPacket } from "../channel/descriptor-channel.ts";
import { mayEnterNamespaces, peerCredentials } from "../kernel/peer-credentials.ts";
import { socketDescriptor } from "../kernel/socket-descriptor.ts";
import { encodeGiving, type Giving, HAND_OVER_VERSION, type Taking, takingReader } from "./hand-over.ts";
import type { Log } from "./log.ts";
import type { NodeProxy, PodInHand } from "./node-proxy.ts";

/** How long what was begun for pods may take to be done; nft gets as long. */
const SETTLE_MS = 20_000;
/** How often it says how much is left. */
const TELL_MS = 200;

const OTHER_VERSION =
  "this supervisor goes on; upgrade to a version between, or restart the node's proxy, which refuses connections until it is up";

export interface GiverEvents {
  /** Leave the path of the enrolment socket; nobody is to be told anything more. */
  readonly leave: () => void;
  /** Everything has ended. */
  readonly over: () => void;
}

/** The old supervisor's side of a hand-over; see hand-over.ts. One at a time. */
export class Giver {
  readonly #proxy: NodeProxy;
  readonly #log: Log;
  readonly #events: GiverEvents;
  /** Why it must not be now. */
  readonly #objection: () => string | undefined;
  #isBusy = false;

  constructor(proxy: NodeProxy, log: Log, objection: () => string | undefined, events: GiverEvents) {
    this.#proxy = proxy;
    this.#log = log;
    this.#objection = objection;
    this.#events = events;
  }

  /**
   * Somebody who may enrol pods wants to have them all.
   * @param connection on which only this was asked for
   * @returns why not; nothing where the answer went out
   */
  give(connection: Socket, version: number): string | undefined {
    const objection = this.#isBusy ? "another supervisor is taking over already" : this.#objection();
    if (version !== HAND_OVER_VERSION)
      return `hand-over version ${version} is not spoken, only ${HAND_OVER_VERSION}; ${OTHER_VERSION}`;
    if (objection !== undefined) return objection;
    const taker = peerCredentials(socketDescriptor(connection));
    if (!mayEnterNamespaces(taker.pid)) {
      this.#log("error", "a process without the privileges of a supervisor wanted to take over", { pid: taker.pid });
      return "whoever takes over must hold CAP_SYS_ADMIN and CAP_NET_ADMIN";
    }
    const { near, far } = makeChannel();
    const payload = Buffer.from(`${JSON.stringify({ version: 1, kind: "handing-over" })}\n`);
    const problem = sendPacket(socketDescriptor(connection), { payload, descriptors: [far.packets, far.bell] });
    closeDescriptors([far.packets, far.bell]);
    connection.end();
    if (problem !== undefined) {
      closeDescriptors([near.packets, near.bell]);
      return `the channel cannot be sent: ${problem}`;
    }
    this.#log("info", "another supervisor takes over", { pid: taker.pid });
    this.#run(near);
    return undefined;
  }

  #run(ends: { readonly packets: number; readonly bell: number }): void {
    this.#isBusy = true;
    const bell = new Socket({ fd: ends.bell });
    const hold = this.#proxy.hold();
    let isTaken = false;
    const sender = new DescriptorSender(ends, bell, () => bell.destroy());
    const onMessage = (message: Taking): void => {
      if (message.kind === "withdrawn") return this.#proxy.letGo(message.uid);
      if (isTaken || message.kind !== "taken") return;
      isTaken = true;
      this.#retire(sender, message.drainMs);
    };
    bell.on("error", () => undefined);
    bell.on(
      "data",
      takingReader(onMessage, () => bell.destroy()),
    );
    bell.once("close", () => {
      sender.close();
      if (isTaken) return;
      this.#log("warn", "the supervisor that was to take over has given up; this one goes on");
      this.#isBusy = false;
      hold.release();
    });
    this.#tellAll(sender, hold.settled).catch((error: unknown) => {
      this.#say(sender, { kind: "refused", reason: error instanceof Error ? error.message : String(error) });
      bell.end();
    });
  }

  async #tellAll(sender: DescriptorSender, settled: Promise<unknown>): Promise<void> {
    const tooLong = new Promise<never>((_resolve, reject) => {
      const fail = (): void => reject(new Error("a pod is being enrolled or withdrawn, which takes too long"));
      const timer = setTimeout(fail, SETTLE_MS);
      void settled.then(() => clearTimeout(timer));
    });
    await Promise.race([settled, tooLong]);
    const { pods, isComplete } = this.#proxy;
    for (const each of pods) this.#say(sender, givingOf(each), each.pod.duplicateAll());
    this.#say(sender, { kind: "all", pods: pods.length, isComplete });
  }

  #retire(sender: DescriptorSender, drainMs: number): void {
    const endsAt = performance.now() + drainMs;
    this.#log("info", "another supervisor has taken over; what is open here may end by itself", { drainMs });
    this.#events.leave();
    this.#say(sender, { kind: "released" });
    const tell = (): void => {
      const endsInMs = Math.max(0, Math.round(endsAt - performance.now()));
      this.#say(sender, { kind: "draining", connections: this.#proxy.connectionsLeft, endsInMs });
    };
    setInterval(tell, TELL_MS);
    this.#proxy.retire(drainMs, this.#events.over);
  }

  #say(sender: DescriptorSender, message: Giving, descriptors: readonly number[] = []): void {
    sender.send({ payload: encodeGiving(message), descriptors });
  }
}

const givingOf = ({ pod, isIsolated, isPrepared }: PodInHand): Giving => ({
  kind: "pod",
  record: pod.record,
  namespace: pod.namespaceIdentity,
  capture: pod.capture.state,
  home: pod.home,
  isIsolated,
  isPrepared,
});
