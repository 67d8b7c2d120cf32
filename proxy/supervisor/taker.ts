import { setTimeout as delay } from "node:timers/promises";
import {
  closeDescriptors,
  type DescriptorMessage,
  receiveDescriptors,
  sendPacket,
  wholeMessage,
} from "../channel/descriptor-channel.ts";
import { openSupervisorChannel, type SupervisorChannel } from "../channel/supervisor-channel.ts";
import { networkNamespaceOf } from "../kernel/network-namespace.ts";
import { peerCredentials } from "../kernel/peer-credentials.ts";
import { connectUnixSocket } from "../kernel/unix-socket.ts";
import { decodeGiving, encodeTaking, type Giving, HAND_OVER_VERSION } from "./hand-over.ts";
import type { MakePod, PodInHand } from "./node-proxy.ts";

/** A supervisor answers within milliseconds, unless its node is very busy. */
const ANSWER_MS = 10_000;
/** For the pods: it waits for what was begun, and for as long as a hung nft may take. */
const STATE_MS = 30_000;
const RELEASE_MS = 10_000;
const LOOK_MS = 5;

/** How much of the old supervisor is left. */
export interface Draining {
  readonly pid: number;
  readonly connections: number;
  /** On the clock of `performance.now()`. */
  readonly endsAt: number;
}

/** The new supervisor's side of a hand-over; see hand-over.ts. */
export class Taker {
  /** Of the old supervisor. */
  readonly pid: number;
  readonly #channel: SupervisorChannel;
  readonly #pods: Promise<PodInHand>[] = [];
  readonly #makePod: MakePod;
  #total: { readonly pods: number; readonly isComplete: boolean } | undefined;
  #refusal: string | undefined;
  #isReleased = false;
  #isGone = false;
  #draining: Draining | undefined;

  private constructor(pid: number, [packets = -1, bell = -1]: readonly number[], makePod: MakePod) {
    this.pid = pid;
    this.#makePod = makePod;
    this.#channel = openSupervisorChannel(
      (message) => this.#take(wholeMessage(message)),
      () => {
        this.#isGone = true;
        closeDescriptors([packets]);
      },
      { packets, bell },
    );
  }

  /**
   * Asks the supervisor that serves enrolment at a path for everything it has.
   * @returns undefined where there is none
   * @throws Error saying why it does not hand over
   */
  static async connect(path: string, makePod: MakePod): Promise<Taker | undefined> {
    const connection = connectUnixSocket(path);
    if (connection === undefined) return undefined;
    try {
      const { uid, pid } = peerCredentials(connection);
      if (uid !== process.getuid?.()) throw new Error(`${path} is served by user ${uid}`);
      const request = { version: 1, kind: "hand-over", handOver: HAND_OVER_VERSION };
      writeLine(connection, request);
      const { payload, descriptors } = await answerOf(connection, pid);
      if (descriptors.length === 2) return new Taker(pid, descriptors, makePod);
      closeDescriptors(descriptors);
      throw new Error(`the supervisor ${pid} does not hand over: ${reasonIn(payload)}`);
    } finally {
      closeDescriptors([connection]);
    }
  }

  /** @returns every pod, checked. @throws Error if one is not what it should be, or not all of them came */
  async pods(): Promise<{ readonly pods: readonly PodInHand[]; readonly isComplete: boolean }> {
    const isThere = (): boolean => this.#refusal !== undefined || this.#total !== undefined || this.#isGone;
    await until(isThere, STATE_MS);
    if (this.#refusal !== undefined) throw new Error(`the supervisor ${this.pid} does not hand over: ${this.#refusal}`);
    const pods = await Promise.all(this.#pods);
    if (this.#total?.pods === pods.length) return { pods, isComplete: this.#total.isComplete };
    throw new Error(`the supervisor ${this.pid} ${this.#isGone ? "ended" : "stopped"} while it handed over`);
  }

  /** Whether the old one has ended, or is as good as that. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** We accept: the old one drains from now on. Resolves when the path of its enrolment socket is free. */
  async take(drainMs: number): Promise<void> {
    this.#channel.write(encodeTaking({ kind: "taken", drainMs }));
    await until(() => this.#isReleased || this.#isGone, RELEASE_MS);
  }

  /** Wants nothing any more. */
  giveUp(): void {
    this.#channel.close();
  }

  withdrawn(uid: string): void {
    if (!this.#isGone) this.#channel.write(encodeTaking({ kind: "withdrawn", uid }));
  }

  /** What is left of the old one, as soon as it has said so; undefined when nothing is. */
  get draining(): Draining | undefined {
    return this.#isGone ? undefined : this.#draining;
  }

  #take({ payload, descriptors }: DescriptorMessage): void {
    const message = decodeGiving(payload);
    if (message.kind === "pod") this.#pods.push(podFrom(message, descriptors, this.#makePod));
    else if (message.kind === "all") this.#total = message;
    else if (message.kind === "refused") this.#refusal = message.reason;
    else if (message.kind === "released") this.#isReleased = true;
    else if (message.kind === "draining") {
      const { connections, endsInMs } = message;
      this.#draining = { pid: this.pid, connections, endsAt: performance.now() + endsInMs };
    }
    // Whoever waits for all of them sees the failure of one.
    this.#pods.at(-1)?.catch(() => undefined);
  }
}

/** @throws Error if a descriptor is not what it should be */
const podFrom = async (
  { record, namespace: identity, capture, home, isIsolated, isPrepared }: Extract<Giving, { kind: "pod" }>,
  [fd = -1, ...listeners]: readonly number[],
  makePod: MakePod,
): Promise<PodInHand> => {
  const namespace = networkNamespaceOf(fd);
  if (namespace?.identity !== identity) {
    closeDescriptors([fd, ...listeners]);
    throw new Error(`what came for ${record.namespace}/${record.name} is not its network namespace`);
  }
  const pod = makePod(record, namespace);
  try {
    await pod.adopt(listeners, capture);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    pod.forget();
    throw new Error(`what came for ${pod.title} cannot be used: ${reason}`, { cause: error });
  }
  pod.home = home;
  return { pod, isIsolated, isPrepared };
};

const writeLine = (connection: number, line: object): void => {
  const payload = Buffer.from(`${JSON.stringify(line)}\n`);
  const problem = sendPacket(connection, { payload, descriptors: [] });
  if (problem !== undefined) throw new Error(`the supervisor cannot be asked: ${problem}`);
};

const answerOf = async (connection: number, pid: number): Promise<DescriptorMessage> => {
  const deadline = performance.now() + ANSWER_MS;
  for (;;) {
    const [answer] = receiveDescriptors(connection).map(wholeMessage);
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`the supervisor ${pid} does not answer; it may hang`);
    await delay(LOOK_MS);
  }
};

/** A supervisor of another version says what it does not understand. */
const reasonIn = (payload: Uint8Array): string => {
  try {
    const { reason } = JSON.parse(Buffer.from(payload).toString()) as { readonly reason?: unknown };
    return typeof reason === "string" ? reason : "it gives no reason";
  } catch {
    return "its answer is not understood";
  }
};

const until = async (isSo: () => boolean, timeoutMs: number): Promise<void> => {
  for (const deadline = performance.now() + timeoutMs; !isSo() && performance.now() < deadline;) await delay(LOOK_MS);
};
