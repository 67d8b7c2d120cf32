import { makeStreamPair } from "../channel/descriptor-channel.ts";
import type { AgentRecord } from "../channel/agent-record.ts";
import type { WorkerRecord } from "../channel/worker-record.ts";
import { AgentProcess } from "./agent-process.ts";
import { CrashLedger } from "./crash-ledger.ts";
import { EnrolledPod } from "./enrolled-pod.ts";
import type { EnrolmentRecord } from "./enrolment.ts";
import { chooseHome } from "./homes.ts";
import type { Log } from "./log.ts";
import type { SupervisorSettings } from "./settings.ts";
import { type Worker, Workers } from "./workers.ts";

/** How many outbound sockets go into one message. */
const SOCKETS_PER_MESSAGE = 64;
/** How often each pod's rules are looked at. */
const CAPTURE_CHECK_MS = 30_000;
/** A pod that keeps crashing others moves; more than so many extra workers would be an attack on the node. */
const MAX_ISOLATED_WORKERS = 8;

/** The proxy of one node: its pods, and the agent and workers that serve them. */
export class NodeProxy {
  readonly #log: Log;
  readonly #node: string;
  readonly #workers: Workers;
  readonly #agent: AgentProcess;
  readonly #ledger: CrashLedger;
  readonly #pods = new Map<number, EnrolledPod>();
  /** By the identity of their namespaces: whose rules and sockets are in each, also while they are being made or taken away. */
  readonly #holders = new Map<string, EnrolledPod>();
  /** One operation at a time for each pod, so that a withdrawal never overtakes an enrolment. */
  readonly #pending = new Map<string, Promise<unknown>>();
  #lastSlot = 0;
  #isComplete = false;
  #checks: NodeJS.Timeout | undefined;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(settings: SupervisorSettings, log: Log, now: () => number) {
    this.#log = log;
    this.#node = settings.node;
    this.#ledger = new CrashLedger(now);
    this.#workers = new Workers(settings, log, now, {
      started: (worker) => this.#onWorkerStarted(worker),
      ended: (worker, reason) => this.#onWorkerEnded(worker, reason),
      record: (worker, record) => this.#onRecord(worker, record),
    });
    this.#agent = new AgentProcess(settings, log, now, {
      started: () => this.#onAgentStarted(),
      record: (record) => this.#endWorker(record),
    });
  }

  start(): void {
    this.#agent.start();
    this.#workers.start();
    this.#checks = setInterval(() => void this.#checkCaptures(), CAPTURE_CHECK_MS);
  }

  /** The rules stay: without a proxy traffic is refused, never passed in clear. */
  stop(): void {
    clearInterval(this.#checks);
    this.#agent.stop();
    for (const index of this.#workers.indexes) this.#workers.remove(index);
  }

  /** Captures a pod. Resolves when its traffic is captured and a worker has its sockets. @throws Error saying why not */
  enrol(record: EnrolmentRecord): Promise<void> {
    return this.#inTurn(record.uid, async () => {
      if (record.node !== this.#node) throw new Error(`the pod is on node ${record.node}, this is ${this.#node}`);
      const pod = new EnrolledPod(++this.#lastSlot, record);
      const holder = this.#holders.get(pod.namespaceIdentity);
      if (holder) pod.letGo();
      if (holder?.record.uid === record.uid) return;
      if (holder)
        throw new Error(`${record.netns} is the namespace of ${podName(holder)}, which is to be withdrawn first`);
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
    return this.#inTurn(uid, async () => {
      const pod = this.#find(uid);
      if (pod) await this.#release(pod);
    });
  }

  /** Withdraws every pod that is not among these: the enroller has named all there are. */
  async complete(named: ReadonlySet<string>): Promise<void> {
    // An enrolment that is under way counts: an earlier enroller may have asked for it.
    const known = new Set([...Array.from(this.#pods.values(), ({ record }) => record.uid), ...this.#pending.keys()]);
    const forgotten = [...known].filter((uid) => !named.has(uid));
    await Promise.allSettled(forgotten.map((uid) => this.withdraw(uid)));
    this.#isComplete = true;
    this.#agent.send({ kind: "complete" });
  }

  #find(uid: string): EnrolledPod | undefined {
    return [...this.#pods.values()].find(({ record }) => record.uid === uid);
  }

  #inTurn<Value>(uid: string, action: () => Promise<Value>): Promise<Value> {
    const previous = this.#pending.get(uid) ?? Promise.resolve();
    const turn = previous.then(action, action);
    this.#pending.set(uid, turn);
    const forget = (): void => {
      if (this.#pending.get(uid) === turn) this.#pending.delete(uid);
    };
    turn.then(forget, forget);
    return turn;
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
    worker?.process.send({ kind: "pod", slot: pod.slot, pod: pod.message }, pod.duplicateListeners());
  }

  async #release(pod: EnrolledPod): Promise<void> {
    this.#pods.delete(pod.slot);
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
      this.#log("error", "no outbound sockets for a pod", { pod: podName(pod), error: String(error) });
    }
  }

  #endWorker({ index, pid }: AgentRecord): void {
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
  }

  /** Joins a worker and the agent by a stream of their own. */
  #introduce(worker: Worker): void {
    if (!this.#agent.isRunning) return;
    const [agentEnd, workerEnd] = makeStreamPair();
    const { index, startId, restarts, process } = worker;
    this.#agent.send({ kind: "worker", index, startId, pid: process.pid, restarts }, [agentEnd]);
    process.send({ kind: "agent" }, [workerEnd]);
  }

  /** Looks whether every pod is still captured. What was lost is put back, and said. */
  async #checkCaptures(): Promise<void> {
    for (const pod of this.#pods.values()) {
      await this.#inTurn(pod.record.uid, () => this.#checkCapture(pod)).catch((error: unknown) => {
        this.#log("error", "the capture of a pod cannot be checked", { pod: podName(pod), error: String(error) });
      });
    }
  }

  async #checkCapture(pod: EnrolledPod): Promise<void> {
    if (this.#pods.get(pod.slot) !== pod) return;
    const problem = await pod.capture.check();
    if (problem === undefined && pod.captureProblem === undefined) return;
    if (problem !== undefined) this.#log("error", "a pod was not captured any more", { pod: podName(pod), problem });
    const repaired = problem === undefined || (await this.#repair(pod));
    pod.captureProblem = repaired ? undefined : problem;
    this.#agent.send({ kind: "capture", slot: pod.slot, problem: pod.captureProblem });
  }

  async #repair(pod: EnrolledPod): Promise<boolean> {
    try {
      await pod.capture.install();
      this.#log("warn", "the pod is captured again", { pod: podName(pod) });
      return true;
    } catch (error) {
      this.#log("error", "the pod cannot be captured again", { pod: podName(pod), error: String(error) });
      return false;
    }
  }
}

const podName = ({ record }: EnrolledPod): string => `${record.namespace}/${record.name}`;
