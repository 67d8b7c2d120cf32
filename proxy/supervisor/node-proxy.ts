import { makeStreamPair } from "../channel/descriptor-channel.ts";
import type { WorkerRecord } from "../channel/worker-record.ts";
import type { NetworkNamespace } from "../kernel/network-namespace.ts";
import { type AgentEvents, AgentProcess } from "./agent-process.ts";
import { CrashLedger } from "./crash-ledger.ts";
import type { EnrolledPod } from "./enrolled-pod.ts";
import type { EnrolmentRecord } from "./enrolment.ts";
import { chooseHome } from "./homes.ts";
import type { Log } from "./log.ts";
import { seldomLog } from "./seldom-log.ts";
import type { SupervisorSettings } from "./settings.ts";
import { CaptureWatch } from "./capture-watch.ts";
import { Turns } from "./turns.ts";
import { type Worker, Workers } from "./workers.ts";

/** How many outbound sockets go into one message. */
const SOCKETS_PER_MESSAGE = 64;
/** After the time for draining, and what ending in order takes: a worker that is still there hangs. */
const KILL_AFTER_MS = 10_000;
/** Workers ask again and again for sockets that they do not get. */
const SAY_NO_SOCKETS_MS = 10_000;
/** A pod that keeps crashing others moves; more than so many extra workers would be an attack on the node. */
const MAX_ISOLATED_WORKERS = 8;

export interface NodeProxyOptions {
  /** Another proxy serves the pods that are adopted, until {@link NodeProxy.accept}. */
  readonly isHeld: boolean;
  readonly makePod: MakePod;
  /** Pods that a supervisor that was killed has left in its namespaces, but for those that are wanted. */
  readonly leftBehind: (isWanted: (uid: string, namespaceIdentity: string) => boolean) => readonly EnrolledPod[];
}

/** Makes a pod with a number of its own, of a namespace that is there. @throws Error as {@link EnrolledPod} does */
export type MakePod = (record: EnrolmentRecord, namespace?: NetworkNamespace) => EnrolledPod;

/** A pod with how it is served. */
export interface PodInHand {
  readonly pod: EnrolledPod;
  /** Whether it is with a worker of its own, as it crashed others. */
  readonly isIsolated: boolean;
  readonly isPrepared: boolean;
}

/** The proxy of one node: its pods, and the agent and workers that serve them. */
export class NodeProxy {
  readonly #log: Log;
  readonly #noSocketsLog: Log;
  readonly #node: string;
  readonly #workers: Workers;
  readonly #agent: AgentProcess;
  readonly #ledger: CrashLedger;
  readonly #pods = new Map<number, EnrolledPod>();
  /** By the identity of their namespaces: whose rules and sockets are in each, also while they are being made or taken away. */
  readonly #holders = new Map<string, EnrolledPod>();
  readonly #turns = new Turns();
  readonly #watch: CaptureWatch;
  /** Slots of pods whose worker has what serving them takes. */
  readonly #prepared = new Set<number>();
  readonly #makePod: MakePod;
  readonly #leftBehind: NodeProxyOptions["leftBehind"];
  #isComplete = false;
  #isSynced = false;
  /** Another proxy serves the pods until {@link accept}. */
  #isHeld: boolean;
  #retirement: { readonly left: Map<number, number>; readonly onEnded: () => void } | undefined;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(
    settings: SupervisorSettings,
    log: Log,
    now: () => number,
    { isHeld, makePod, leftBehind }: NodeProxyOptions,
  ) {
    this.#isHeld = isHeld;
    this.#makePod = makePod;
    this.#leftBehind = leftBehind;
    this.#watch = new CaptureWatch({
      turns: this.#turns,
      log,
      pods: () => this.#pods.values(),
      isKnown: (pod) => this.#pods.get(pod.slot) === pod,
      onChecked: ({ slot, captureProblem }) => this.#agent.send({ kind: "capture", slot, problem: captureProblem }),
    });
    this.#log = log;
    this.#noSocketsLog = seldomLog(log, now, SAY_NO_SOCKETS_MS);
    this.#node = settings.node;
    this.#ledger = new CrashLedger(now);
    this.#workers = new Workers(settings, log, now, {
      started: (worker) => this.#onWorkerStarted(worker),
      ended: (worker, reason) => this.#onWorkerEnded(worker, reason),
      record: (worker, record) => this.#onRecord(worker, record),
    });
    this.#agent = new AgentProcess(settings, log, now, {
      started: () => this.#onAgentStarted(),
      finished: () => this.#retirement?.onEnded(),
      record: (record) => this.#onAgentRecord(record),
    });
  }

  start(): void {
    this.#agent.start();
    this.#workers.start();
    if (!this.#isHeld) this.#watch.start();
  }

  /** The rules stay: without a proxy traffic is refused, never passed in clear. */
  stop(): void {
    this.#watch.stop();
    this.#agent.stop();
    for (const index of this.#workers.indexes) this.#workers.remove(index);
    for (const { process } of this.#workers.running) process.kill();
  }

  /** Captures a pod. Resolves when its traffic is captured and a worker has its sockets. @throws Error saying why not */
  enrol(record: EnrolmentRecord): Promise<void> {
    return this.#turns.run(record.uid, async () => {
      if (record.node !== this.#node) throw new Error(`the pod is on node ${record.node}, this is ${this.#node}`);
      const pod = this.#makePod(record);
      const holder = this.#holders.get(pod.namespaceIdentity);
      if (holder) pod.letGo();
      if (holder?.record.uid === record.uid) return;
      if (holder)
        throw new Error(`${record.netns} is the namespace of ${holder.title}, which is to be withdrawn first`);
      this.#holders.set(pod.namespaceIdentity, pod);
      const known = this.#find(record.uid);
      // The sandbox was made anew: the old namespace is another one.
      if (known) await this.#release(known);
      try {
        await pod.start();
        pod.home = this.#chooseHome();
        this.#settle(pod);
      } catch (error) {
        pod.abandon();
        this.#agent.send({ kind: "pod-gone", slot: pod.slot });
        this.#holders.delete(pod.namespaceIdentity);
        throw error;
      }
      this.#pods.set(pod.slot, pod);
    });
  }

  /** Announces the end of a pod to its peers. @returns whether it is enrolled at all */
  drain(uid: string): boolean {
    const pod = this.#find(uid);
    if (pod) this.#workers.get(pod.home)?.process.send({ kind: "drain", slot: pod.slot });
    return pod !== undefined;
  }

  /** Lets go of a pod; one that is not enrolled is none of our business any more. */
  withdraw(uid: string): Promise<void> {
    return this.#turns.run(uid, async () => {
      const pod = this.#find(uid);
      if (pod) await this.#release(pod);
    });
  }

  /** Withdraws every pod that is not among these: the enroller has named all there are. */
  async complete(named: ReadonlySet<string>): Promise<void> {
    // An enrolment that is under way counts: an earlier enroller may have asked for it.
    const known = new Set([...Array.from(this.#pods.values(), ({ record }) => record.uid), ...this.#turns.uids]);
    const forgotten = [...known].filter((uid) => !named.has(uid));
    // One that was named and could not be enrolled keeps its rules, and its traffic is refused.
    const left = this.#leftBehind((uid, identity) => named.has(uid) || this.#holders.has(identity));
    await Promise.allSettled([
      ...forgotten.map((uid) => this.withdraw(uid)),
      ...left.map((pod) => this.#withdrawLeftBehind(pod)),
    ]);
    this.#isComplete = true;
    this.#agent.send({ kind: "complete" });
  }

  /** Its rules are still there: its traffic would be refused for ever. */
  #withdrawLeftBehind(pod: EnrolledPod): Promise<void> {
    return this.#turns.run(pod.record.uid, async () => {
      if (this.#holders.has(pod.namespaceIdentity)) return pod.letGo();
      this.#holders.set(pod.namespaceIdentity, pod);
      this.#log("info", "a pod that an earlier supervisor left behind is withdrawn", { pod: pod.title });
      await pod.release();
      this.#holders.delete(pod.namespaceIdentity);
    });
  }

  /** The pods that are served, and what another supervisor has to know of each. */
  get pods(): readonly PodInHand[] {
    return Array.from(this.#pods.values(), (pod) => ({
      pod,
      isIsolated: this.#workers.isIsolated(pod.home),
      isPrepared: this.#prepared.has(pod.slot),
    }));
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Lets no pod come or go from now on. @returns how to let them, and when what had begun is done */
  hold(): ReturnType<Turns["hold"]> {
    return this.#turns.hold();
  }

  /**
   * Takes over pods that another supervisor enrolled. Those that it served by one worker because they crashed others stay
   * with each other, and apart from the rest.
   */
  adopt(pods: readonly PodInHand[], isComplete: boolean): void {
    const isolated = new Map<number, number>();
    for (const { pod, isIsolated } of pods) {
      this.#holders.set(pod.namespaceIdentity, pod);
      const given = pod.home;
      if (isIsolated && !isolated.has(given)) isolated.set(given, this.#workers.addIsolated());
      const isThere = this.#workers.indexes.includes(given) && !this.#workers.isIsolated(given);
      pod.home = isolated.get(given) ?? (isThere ? given : this.#chooseHome());
      this.#pods.set(pod.slot, pod);
      this.#settle(pod);
    }
    this.#isComplete = isComplete;
    if (isComplete) this.#agent.send({ kind: "complete" });
  }

  isPrepared(pod: EnrolledPod): boolean {
    return this.#prepared.has(pod.slot);
  }

  /** Whether the agent has heard everything from the control plane. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Serves the pods that were held. */
  accept(): void {
    this.#isHeld = false;
    for (const { process } of this.#workers.running) process.send({ kind: "accept" });
  }

  /** Answers for the node: its ports are free, and the pods are nobody else's any more. */
  answer(): void {
    this.#agent.send({ kind: "serve" });
    this.#watch.start();
    void this.#watch.renewAll();
  }

  /**
   * Another supervisor serves the pods from now on. What is open here ends within the time.
   * @param onEnded agent and workers have ended, and have said everything
   */
  retire(drainMs: number, onEnded: () => void): void {
    this.#retirement = { left: new Map(), onEnded };
    this.#watch.stop();
    this.#workers.letEnd();
    this.#agent.send({ kind: "retire" });
    for (const pod of this.#pods.values()) pod.closeListeners();
    for (const { process } of this.#workers.running) process.send({ kind: "retire", drainMs });
    setTimeout(() => {
      for (const { process } of this.#workers.running) process.kill();
    }, drainMs + KILL_AFTER_MS);
    this.#finishWhenAlone();
  }

  /** Connections that are left while this proxy retires. */
  get connectionsLeft(): number {
    return [...(this.#retirement?.left.values() ?? [])].reduce((sum, count) => sum + count, 0);
  }

  /** A pod that another supervisor has let go of: nothing of it may stay open here. */
  letGo(uid: string): void {
    const pod = this.#find(uid);
    if (!pod) return;
    this.#pods.delete(pod.slot);
    this.#workers.get(pod.home)?.process.send({ kind: "release", slot: pod.slot });
    pod.forget();
  }

  #finishWhenAlone(): void {
    if (this.#retirement && [...this.#workers.running].length === 0) this.#agent.finish();
  }

  #find(uid: string): EnrolledPod | undefined {
    return [...this.#pods.values()].find(({ record }) => record.uid === uid);
  }

  #chooseHome(): number {
    const podsOf = Map.groupBy(this.#pods.values(), ({ home }) => home);
    return chooseHome(
      this.#workers.indexes.map((index) => ({
        index,
        isolated: this.#workers.isIsolated(index),
        pods: podsOf.get(index)?.length ?? 0,
        sockets: this.#workers.get(index)?.allowance.recent ?? 0,
      })),
    );
  }

  /** Gives the pod to its worker, and tells the agent, which will send the worker what it needs to serve it. */
  #settle(pod: EnrolledPod): void {
    this.#agent.send({ kind: "pod", slot: pod.slot, worker: pod.home, pod: pod.message });
    const worker = this.#workers.get(pod.home);
    const message = { kind: "pod", slot: pod.slot, pod: pod.message, isHeld: this.#isHeld } as const;
    worker?.process.send(message, pod.duplicateListeners());
  }

  async #release(pod: EnrolledPod): Promise<void> {
    this.#pods.delete(pod.slot);
    this.#prepared.delete(pod.slot);
    this.#ledger.forget(pod.record.uid);
    this.#workers.get(pod.home)?.process.send({ kind: "release", slot: pod.slot });
    this.#agent.send({ kind: "pod-gone", slot: pod.slot });
    await pod.release();
    this.#holders.delete(pod.namespaceIdentity);
    const isDeserted = ![...this.#pods.values()].some(({ home }) => home === pod.home);
    if (isDeserted && this.#workers.isIsolated(pod.home)) this.#workers.remove(pod.home);
  }

  #onWorkerStarted(worker: Worker): void {
    try {
      this.#introduce(worker);
      for (const pod of this.#pods.values()) if (pod.home === worker.index) this.#settle(pod);
    } catch (error) {
      this.#log("error", "worker cannot be given its pods; starting it again", {
        worker: worker.index,
        error: String(error),
      });
      worker.process.kill();
    }
  }

  #onWorkerEnded(worker: Worker, reason: string): void {
    this.#agent.send({ kind: "worker-gone", startId: worker.startId, reason });
    const pods = [...this.#pods.values()].filter(({ home }) => home === worker.index);
    for (const { slot } of pods) this.#prepared.delete(slot);
    if (this.#retirement) {
      this.#retirement.left.delete(worker.index);
      return this.#finishWhenAlone();
    }
    const groups = this.#ledger.record(pods.map(({ record }) => record.uid));
    for (const group of groups) this.#isolate(group);
  }

  #isolate(uids: readonly string[]): void {
    if (this.#workers.indexes.filter((index) => this.#workers.isIsolated(index)).length >= MAX_ISOLATED_WORKERS) return;
    const home = this.#workers.addIsolated();
    this.#log("warn", "pods of a worker that crashed twice move to a worker of their own", {
      pods: uids,
      worker: home,
    });
    for (const pod of this.#pods.values()) {
      if (!uids.includes(pod.record.uid)) continue;
      pod.home = home;
      this.#settle(pod);
    }
  }

  #onRecord(worker: Worker, record: WorkerRecord): void {
    if (record.kind === "need") return this.#giveSockets(worker, record.slot, record.sockets, record.count);
    if (record.kind === "draining") return void this.#retirement?.left.set(worker.index, record.count);
    if (record.kind === "prepared") {
      if (this.#pods.get(record.slot)?.home === worker.index) this.#prepared.add(record.slot);
      return undefined;
    }
    this.#log("info", "worker is ready", { worker: worker.index, pid: worker.process.pid });
  }

  /** A worker gets sockets for its own pods only; a request for another's may be late, and is left unanswered. */
  #giveSockets(worker: Worker, slot: number, kind: "direct" | "local", wanted: number): void {
    const pod = this.#pods.get(slot);
    if (!pod || pod.home !== worker.index) return;
    let left = worker.allowance.take(wanted);
    try {
      for (; left > 0; left -= SOCKETS_PER_MESSAGE) {
        const sockets = pod.makeSockets(kind, Math.min(left, SOCKETS_PER_MESSAGE));
        worker.process.send({ kind: "sockets", slot, sockets: kind }, sockets);
      }
    } catch (error) {
      this.#noSocketsLog("error", "no outbound sockets for a pod", { pod: pod.title, error: String(error) });
    }
  }

  #onAgentRecord(record: Parameters<AgentEvents["record"]>[0]): void {
    if (record.kind === "synced") this.#isSynced = true;
    else this.#endWorker(record.index, record.pid);
  }

  #endWorker(index: number, pid: number): void {
    const worker = this.#workers.get(index);
    if (worker?.process.pid !== pid) return;
    this.#log("error", "the agent does not trust a worker any more; ending it", { worker: index, pid });
    worker.process.kill();
  }

  #onAgentStarted(): void {
    try {
      for (const worker of this.#workers.running) this.#introduce(worker);
    } catch (error) {
      this.#log("error", "the workers cannot be introduced to the agent; starting it again", { error: String(error) });
      return this.#agent.kill();
    }
    for (const pod of this.#pods.values()) {
      this.#agent.send({ kind: "pod", slot: pod.slot, worker: pod.home, pod: pod.message });
      if (pod.captureProblem) this.#agent.send({ kind: "capture", slot: pod.slot, problem: pod.captureProblem });
    }
    if (this.#isComplete) this.#agent.send({ kind: "complete" });
    if (!this.#isHeld && !this.#retirement) this.#agent.send({ kind: "serve" });
  }

  /** Joins a worker and the agent by a stream of their own. */
  #introduce(worker: Worker): void {
    if (!this.#agent.isRunning) return;
    const [agentEnd, workerEnd] = makeStreamPair();
    const { index, startId, restarts, process } = worker;
    this.#agent.send({ kind: "worker", index, startId, pid: process.pid, restarts }, [agentEnd]);
    process.send({ kind: "agent" }, [workerEnd]);
  }
}
