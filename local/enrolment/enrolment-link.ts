import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { backoffDelayMs, type BackoffSettings } from "#mesh/backoff.ts";
import type { Clock } from "#mesh/clock.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import {
  type EnrolledPod,
  type EnrolmentReply,
  type EnrolmentRequest,
  encodeRequest,
  parseReply,
  type SupervisorStatus,
} from "./messages.ts";

export interface EnrolmentLinkSettings {
  /** The supervisor's socket. */
  readonly path: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** A pod that was enrolled was refused when it was named again after a reconnect. */
  readonly onLost: (uid: string, reason: string) => void;
}

/** A supervisor is back within a second or two after it died. */
const RECONNECT_BACKOFF: BackoffSettings = { firstMs: 20, maxMs: 500, jitter: 0.2 };
/** A supervisor that answers nothing for this long is stuck; a pod that is to end does not wait longer for it. */
const FAREWELL_TIMEOUT_MS = 5_000;

/**
 * The runtime's connection to the supervisor of one node. It names all enrolled pods whenever it connects, because a
 * supervisor that was restarted knows none.
 */
export class EnrolmentLink {
  readonly #settings: EnrolmentLinkSettings;
  readonly #pods = new Map<string, EnrolledPod>();
  readonly #waiting = new Map<string, (reply: EnrolmentReply | undefined) => void>();
  readonly #asking: ((status: SupervisorStatus | undefined) => void)[] = [];
  #socket: Socket | undefined;
  #connected = false;
  #attempt = 0;
  #closed = false;
  #cancelReconnect: () => void = () => {};

  constructor(settings: EnrolmentLinkSettings) {
    this.#settings = settings;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Begins to connect, and never stops trying. */
  open(): void {
    if (this.#closed) return;
    const socket = createConnection(this.#settings.path);
    this.#socket = socket;
    socket.on("error", () => {});
    socket.once("connect", () => this.#nameAll());
    socket.once("close", () => this.#lost());
    const lines = createInterface(socket);
    lines.on("line", (line) => this.#take(line));
    // It passes the socket's errors on, and these are told by its end.
    lines.on("error", () => {});
  }

  close(): void {
    this.#closed = true;
    this.#cancelReconnect();
    this.#socket?.destroy();
  }

  /**
   * Enrols a pod. While the supervisor is away this waits: a pod must not run before its traffic is captured.
   * @returns why it was refused, or that `signal` put an end to the waiting
   */
  async enrol(pod: EnrolledPod, signal: AbortSignal): Promise<Result<void, string>> {
    this.#pods.set(pod.uid, pod);
    this.#send({ kind: "enrol", pod });
    const reply = await this.#reply("enrol", pod.uid, signal);
    if (reply?.kind === "enrolled") return ok(undefined);
    this.#pods.delete(pod.uid);
    if (reply?.kind === "refused") return err(reply.reason);
    // The supervisor may have taken it already, and its answer be under way.
    await this.withdraw(pod.uid);
    return err("it is no longer wanted");
  }

  /** Asks the peers of a pod's tunnels to open no more. Done when the supervisor says so, or is not there to say it. */
  async drain(uid: string): Promise<void> {
    await this.#farewell("drain", uid);
  }

  /** Takes a pod out. Its rules and sockets are gone afterwards; with a dead supervisor the sockets are gone as well. */
  async withdraw(uid: string): Promise<void> {
    this.#pods.delete(uid);
    await this.#farewell("withdraw", uid);
  }

  /** Asks which supervisor serves the node. @returns undefined where none answers within the time */
  supervisor(timeoutMs: number): Promise<SupervisorStatus | undefined> {
    if (!this.#connected) return Promise.resolve(undefined);
    const { promise, resolve } = Promise.withResolvers<SupervisorStatus | undefined>();
    const cancel = this.#settings.clock.after(timeoutMs, () => resolve(undefined));
    this.#asking.push((status) => {
      cancel();
      resolve(status);
    });
    this.#send({ kind: "status" });
    return promise;
  }

  async #farewell(kind: "drain" | "withdraw", uid: string): Promise<void> {
    if (!this.#connected) return;
    this.#send({ kind, uid });
    await this.#reply(kind, uid, AbortSignal.timeout(FAREWELL_TIMEOUT_MS));
  }

  #reply(kind: "enrol" | "drain" | "withdraw", uid: string, signal: AbortSignal): Promise<EnrolmentReply | undefined> {
    const key = `${kind} ${uid}`;
    const { promise, resolve } = Promise.withResolvers<EnrolmentReply | undefined>();
    const finish = (reply: EnrolmentReply | undefined): void => {
      this.#waiting.delete(key);
      signal.removeEventListener("abort", abandon);
      resolve(reply);
    };
    const abandon = (): void => finish(undefined);
    this.#waiting.set(key, finish);
    if (signal.aborted) abandon();
    else signal.addEventListener("abort", abandon);
    return promise;
  }

  #take(line: string): void {
    const reply = parseReply(line);
    if (reply === undefined || reply.kind === "completed") return;
    if (reply.kind === "status") return this.#asking.shift()?.(reply);
    const keys = QUESTIONS[reply.kind].map((question) => `${question} ${reply.uid}`);
    const waiting = keys.map((key) => this.#waiting.get(key)).find((finish) => finish !== undefined);
    if (waiting !== undefined) {
      waiting(reply);
    } else if (reply.kind === "refused" && this.#pods.delete(reply.uid)) {
      this.#settings.onLost(reply.uid, reply.reason);
    }
  }

  #nameAll(): void {
    this.#connected = true;
    this.#attempt = 0;
    for (const pod of this.#pods.values()) this.#send({ kind: "enrol", pod });
    this.#send({ kind: "complete" });
  }

  #send(request: EnrolmentRequest): void {
    if (this.#connected) this.#socket?.write(encodeRequest(request));
  }

  #lost(): void {
    this.#connected = false;
    // What was to be taken out is out: the supervisor's sockets ended with it. What was to be enrolled is named again.
    for (const [key, finish] of this.#waiting) if (!key.startsWith("enrol ")) finish(undefined);
    for (const answer of this.#asking.splice(0)) answer(undefined);
    if (this.#closed) return;
    const { clock, random } = this.#settings;
    const delayMs = backoffDelayMs(RECONNECT_BACKOFF, this.#attempt++, random);
    this.#cancelReconnect = clock.after(delayMs, () => this.open());
  }
}

/** Which request a reply answers, the likeliest first. */
const QUESTIONS = {
  enrolled: ["enrol"],
  refused: ["enrol", "drain", "withdraw"],
  draining: ["drain"],
  withdrawn: ["withdraw"],
} as const;
