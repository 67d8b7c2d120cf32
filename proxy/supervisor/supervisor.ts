import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CapturedNamespaces } from "./captured-namespaces.ts";
import { EnrolledPod } from "./enrolled-pod.ts";
import type { DrainingSupervisor } from "./enrolment.ts";
import { type Enroller, type EnrolmentServer, serveEnrolment } from "./enrolment-server.ts";
import { Giver } from "./giver.ts";
import type { Log } from "./log.ts";
import { type MakePod, NodeProxy } from "./node-proxy.ts";
import { podsLeftBehind } from "./pods-left-behind.ts";
import type { SupervisorSettings } from "./settings.ts";
import { Taker } from "./taker.ts";

/** How often it is looked whether agent and workers are ready. */
const LOOK_MS = 20;
/** How many pods an error names. */
const MAX_NAMED = 3;

/**
 * A supervisor from its start to its end: it takes over from one that serves the node already, if there is one, and hands over
 * to the next.
 */
export class Supervisor implements Enroller {
  readonly #settings: SupervisorSettings;
  readonly #log: Log;
  readonly #proxy: NodeProxy;
  readonly #taker: Taker | undefined;
  readonly #giver: Giver;
  #server: EnrolmentServer | undefined;

  private constructor(settings: SupervisorSettings, log: Log, proxy: NodeProxy, taker: Taker | undefined) {
    this.#settings = settings;
    this.#log = log;
    this.#proxy = proxy;
    this.#taker = taker;
    this.#giver = new Giver(proxy, log, () => this.#drainingText(), {
      leave: () => this.#server?.close(),
      over: () => {
        log("info", "everything has ended; another supervisor serves the node");
        process.exit(0);
      },
    });
  }

  /**
   * Starts agent and workers, and serves the node.
   * @param now milliseconds of a clock that only goes forward
   * @throws Error saying why not; what served the node before goes on then
   */
  static async start(settings: SupervisorSettings, log: Log, now: () => number): Promise<Supervisor> {
    const path = join(settings.runDir, "enrol.sock");
    const captured = new CapturedNamespaces(settings.runDir);
    let slots = 0;
    const makePod: MakePod = (record, namespace) => new EnrolledPod(++slots, record, captured, namespace);
    const taker = await Taker.connect(path, makePod);
    const proxy = new NodeProxy(settings, log, now, {
      isHeld: taker !== undefined,
      makePod,
      leftBehind: (isWanted) => podsLeftBehind(captured, makePod, isWanted),
    });
    const supervisor = new Supervisor(settings, log, proxy, taker);
    proxy.start();
    if (taker) await supervisor.#takeOver(taker);
    supervisor.#server = await serveEnrolment(path, supervisor, log);
    return supervisor;
  }

  enrol(record: Parameters<Enroller["enrol"]>[0]): Promise<void> {
    return this.#proxy.enrol(record);
  }

  drain(uid: string): boolean {
    return this.#proxy.drain(uid);
  }

  async withdraw(uid: string): Promise<void> {
    this.#taker?.withdrawn(uid);
    await this.#proxy.withdraw(uid);
  }

  async complete(named: ReadonlySet<string>): Promise<void> {
    for (const { pod } of this.#proxy.pods) if (!named.has(pod.record.uid)) this.#taker?.withdrawn(pod.record.uid);
    await this.#proxy.complete(named);
  }

  get draining(): DrainingSupervisor | undefined {
    const draining = this.#taker?.draining;
    if (!draining) return undefined;
    const { pid, connections, endsAt } = draining;
    return { pid, connections, endsInMs: Math.max(0, Math.round(endsAt - performance.now())) };
  }

  handOver(connection: Socket, version: number): string | undefined {
    return this.#giver.give(connection, version);
  }

  /** Ends everything at once. The rules stay: without a proxy traffic is refused, never passed in clear. */
  stop(): void {
    this.#server?.close();
    this.#proxy.stop();
  }

  /** Serves what another one serves, when agent and workers can; if that one ends before, at once. */
  async #takeOver(taker: Taker): Promise<void> {
    const { pods, isComplete } = await taker.pods();
    this.#proxy.adopt(pods, isComplete);
    const wanted = pods.filter(({ isPrepared }) => isPrepared).map(({ pod }) => pod);
    const deadline = performance.now() + this.#settings.takeOverMs;
    for (let missing = this.#missing(wanted); missing !== undefined && !taker.isGone; missing = this.#missing(wanted)) {
      if (performance.now() > deadline) {
        throw new Error(
          `not ready after ${this.#settings.takeOverMs / 1000} s: ${missing}; supervisor ${taker.pid} goes on`,
        );
      }
      await delay(LOOK_MS);
    }
    this.#proxy.accept();
    await taker.take(this.#settings.drainMs);
    this.#proxy.answer();
    this.#log("info", "took over from another supervisor", { from: taker.pid, pods: pods.length });
  }

  /** What the proxy has not that the one before it had; nothing when it may take its place. */
  #missing(pods: readonly EnrolledPod[]): string | undefined {
    if (!this.#proxy.isSynced) return "the agent has not heard everything from the control plane";
    const unprepared = pods.filter((pod) => !this.#proxy.isPrepared(pod)).map(({ title }) => title);
    if (unprepared.length === 0) return undefined;
    const more = unprepared.length > MAX_NAMED ? ` and ${unprepared.length - MAX_NAMED} more` : "";
    return `no record or certificate for ${unprepared.slice(0, MAX_NAMED).join(", ")}${more}`;
  }

  #drainingText(): string | undefined {
    if (!this.#taker || this.#taker.isGone) return undefined;
    const { connections = 0, endsInMs = this.#settings.drainMs } = this.draining ?? {};
    const seconds = Math.ceil(endsInMs / 1000);
    return `the one before it still has ${connections} connections, for ${seconds} s at the most`;
  }
}
