import type { Logger } from "pino";
import { formatCertificates } from "#certs/x509/pem.ts";
import { exportPrivateKey } from "#certs/x509/key-pair.ts";
import type { Credentials } from "#certs/verify/credentials.ts";
import type { Clock } from "#mesh/clock.ts";
import { ClockWatch } from "#mesh/clock-watch.ts";
import type { AgentOrder } from "../channel/agent-order.ts";
import { closeDescriptors, type DescriptorMessage } from "../channel/descriptor-channel.ts";
import { decodeAgentMessage } from "../channel/message.ts";
import type { WorkerReport } from "../channel/worker-report.ts";
import { AccessLog } from "./access-log.ts";
import type { CertificateOwner } from "./certificates/certificate-entry.ts";
import { CertificateManager } from "./certificates/certificate-manager.ts";
import { withClockHint } from "./clock-hint.ts";
import { ControlPlaneClient } from "./control-plane-client.ts";
import { ControlStream } from "./control-stream.ts";
import { MergedHistograms } from "./histograms.ts";
import { MergedCounters } from "./metrics.ts";
import { NodePods } from "./node-pods.ts";
import { ResourceStore, type ResourceUpdate } from "./resource-store.ts";
import type { AgentSettings } from "./settings.ts";
import { WorkerLink, type WorkerLife } from "./worker-link.ts";

/** How often it is looked whether the workers are alive, and said that the agent is. */
const CHECK_MS = 1_000;

/** How the link to the control plane stands. */
export interface ControlPlaneState {
  isConnected: boolean;
  /** Milliseconds since 1970, of the last change. */
  since: number;
  lastError: string | undefined;
  /** Version of what was last received in full. */
  version: string;
  terminations: number;
  readonly messages: Map<string, number>;
}

/** What the agent has others do. */
export interface AgentEvents {
  /** The supervisor ends a worker that cannot be trusted any more, or hangs; another takes its place. */
  readonly endWorker: (life: WorkerLife) => void;
  /** Told every second: this agent does not hang. */
  readonly alive: () => void;
  /** Told once: everything was heard from the control plane. */
  readonly synced: () => void;
  /** Answer on the node's ports and on the admin socket. */
  readonly serve: () => void;
  /** Another agent answers there from now on. */
  readonly retire: () => void;
}

/** The agent: what the control plane says and the workers do comes together here. */
export class Agent {
  readonly settings: AgentSettings;
  readonly store = new ResourceStore();
  readonly pods: NodePods;
  readonly counters = new MergedCounters();
  readonly histograms = new MergedHistograms();
  readonly certificates: CertificateManager;
  readonly accessLog: AccessLog;
  readonly controlPlane: ControlPlaneState;
  /** Connections that were open when their worker ended. */
  lostConnections = 0;
  /** Requests that were under way when their worker ended. */
  lostRequests = 0;
  /** Requests for certificates that failed, and answers of the CA that were refused. */
  certificateFailures = 0;
  /** Workers started anew, also those that are gone meanwhile. */
  workerRestarts = 0;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #client: ControlPlaneClient;
  readonly #stream: ControlStream;
  readonly #clockWatch: ClockWatch;
  readonly #events: AgentEvents;
  readonly #workers = new Map<string, WorkerLink>();
  readonly #serving = new Map<string, ReadonlySet<number>>();
  /** By index, of the last worker with it. */
  readonly #restarts = new Map<number, number>();
  #waiting: {
    readonly generation: number;
    readonly resolve: () => void;
    readonly reject: (error: Error) => void;
  }[] = [];

  constructor(settings: AgentSettings, logger: Logger, clock: Clock, random: () => number, events: AgentEvents) {
    this.settings = settings;
    this.#events = events;
    this.#logger = logger;
    this.#clock = clock;
    this.#clockWatch = new ClockWatch(CHECK_MS, clock.now());
    this.pods = new NodePods(settings.trustDomain);
    this.accessLog = new AccessLog(logger, settings.accessLog, {
      linesPerSecond: settings.accessLogRate,
      isHome: (worker, namespace, name) => this.pods.isHome(worker, namespace, name),
    });
    this.controlPlane = {
      isConnected: false,
      since: clock.now(),
      lastError: undefined,
      version: "",
      terminations: 0,
      messages: new Map(),
    };
    this.#client = new ControlPlaneClient(settings, () =>
      formatCertificates(this.store.bundle(settings.trustDomain)?.roots ?? []),
    );
    this.certificates = new CertificateManager({
      sign: (csr, { identity, worker }, lifetimeMs) =>
        this.#client.sign({ csr, identity, lifetimeMs, holder: `worker-${worker}` }),
      bundle: (trustDomain) => this.store.bundle(trustDomain),
      lifetimeMs: settings.leafLifetimeMs,
      onIssued: (owner, credentials) => this.#onIssued(owner, credentials),
      onProblem: ({ identity, worker }, problem) => {
        this.certificateFailures++;
        logger.warn({ identity, worker, problem }, "no certificate");
      },
      clock,
      random,
    });
    const handler = {
      versions: (kind: ResourceUpdate["kind"]) => this.store.versions(kind),
      receive: (update: ResourceUpdate) => this.#receive(update),
      versioned: (version: string) => {
        if (this.store.isComplete) this.controlPlane.version = version;
      },
      connected: (isConnected: boolean, problem: string | undefined) => this.#onConnected(isConnected, problem),
    };
    this.#stream = new ControlStream((anew) => this.#client.openDiscovery(anew), settings.node, handler, clock, random);
  }

  start(): void {
    this.#stream.start();
    this.#watchWorkers();
  }

  get workers(): readonly WorkerLink[] {
    return [...this.#workers.values()].sort((a, b) => a.life.index - b.life.index);
  }

  /** The lowest generation of all workers: what is enforced on this node. Without workers nothing is. */
  get enforcedGeneration(): number {
    if (this.#workers.size === 0) return 0;
    return Math.min(this.store.generation, ...this.workers.map(({ appliedGeneration }) => appliedGeneration));
  }

  /** Whether the pod's worker accepts its connections. */
  isServed(slot: number): boolean {
    return [...this.#serving.values()].some((slots) => slots.has(slot));
  }

  /** Why the node is not ready; nothing when it is. */
  get notReady(): readonly string[] {
    const reasons: string[] = [];
    if (!this.store.isSynced) reasons.push("the control plane has not sent everything yet");
    if (!this.pods.isComplete) reasons.push("the enroller has not named the pods of this node yet");
    if (this.#workers.size === 0) reasons.push("no worker runs");
    return reasons;
  }

  /** Takes a message of the supervisor's. */
  onMessage({ payload, descriptors }: DescriptorMessage): void {
    const message = decodeAgentMessage(payload);
    switch (message.kind) {
      case "worker": {
        const [descriptor = -1, ...others] = descriptors;
        closeDescriptors(others);
        return this.#onWorker(message, descriptor);
      }
      case "worker-gone":
        return this.#onWorkerGone(message.startId, message.reason);
      case "pod":
        this.pods.set(message.slot, message.worker, message.pod);
        return this.#updateCertificates();
      case "pod-gone":
        this.pods.delete(message.slot);
        return this.#updateCertificates();
      case "capture": {
        const pod = this.pods.get(message.slot);
        if (pod) pod.captureProblem = message.problem;
        return undefined;
      }
      case "complete":
        this.pods.isComplete = true;
        return undefined;
      case "serve":
        return this.#events.serve();
      case "retire":
        this.#logger.info("another agent takes over; this one goes on until its workers have ended");
        return this.#events.retire();
    }
  }

  #onWorker(life: WorkerLink["life"], descriptor: number): void {
    const { index, startId, pid, restarts } = life;
    const link = new WorkerLink(
      { index, startId, pid, restarts },
      descriptor,
      (report) => this.#onReport(link, report),
      (problem) => {
        this.#logger.error({ worker: index, problem }, "a worker is not trusted any more; it is ended");
        this.#events.endWorker(link.life);
      },
    );
    this.#workers.get(startId)?.close();
    this.#workers.set(startId, link);
    this.workerRestarts += Math.max(0, restarts - (this.#restarts.get(index) ?? 0));
    this.#restarts.set(index, restarts);
    if (this.store.isSynced) link.send(this.store.snapshotOrders());
    link.send(this.certificates.heldFor(index).map(({ owner, credentials }) => credentialOrder(owner, credentials)));
  }

  #onWorkerGone(startId: string, reason: string): void {
    const link = this.#workers.get(startId);
    link?.close();
    this.#workers.delete(startId);
    this.#serving.delete(startId);
    this.lostRequests += this.counters.requestsInFlight(startId);
    this.histograms.workerGone(startId);
    const lost = this.counters.workerGone(startId);
    this.lostConnections += lost;
    this.#logger.warn({ worker: link?.life.index, reason, lost }, "a worker ended, and with it its connections");
    this.#settle();
  }

  #onReport(link: WorkerLink, report: WorkerReport): void {
    const { index, startId } = link.life;
    switch (report.kind) {
      case "applied":
        return this.#settle();
      case "serving":
        this.#serving.set(startId, new Set(report.slots));
        return undefined;
      case "counters":
        return this.counters.report(startId, report.series, report.totals);
      case "histograms":
        return this.histograms.report(startId, report.series, report.readings);
      case "flows":
        return this.accessLog.write(index, report);
    }
  }

  #watchWorkers(): void {
    this.#events.alive();
    this.accessLog.nextSecond();
    for (const link of this.#workers.values()) link.check();
    this.#watchClock();
    this.#clock.after(CHECK_MS, () => this.#watchWorkers());
  }

  #watchClock(): void {
    const jumpMs = this.#clockWatch.look(this.#clock.now());
    if (jumpMs === 0) return;
    const seconds = Math.round(jumpMs / 1_000);
    this.#logger.warn({ seconds }, "the clock of this node was set, or the node slept: certificates are judged by it");
    this.certificates.retryFailed();
  }

  /** Takes a response over, and tells the workers, once every type is there. */
  #receive(update: ResourceUpdate): { readonly refused: readonly string[]; readonly enforced: Promise<void> } {
    const { messages } = this.controlPlane;
    messages.set(update.kind, (messages.get(update.kind) ?? 0) + 1);
    const wasSynced = this.store.isSynced;
    const { orders, refused } = this.store.apply(update);
    const generation = this.store.generation;
    const commit: AgentOrder = { kind: "commit", generation, complete: false };
    for (const link of this.store.isSynced ? this.#workers.values() : []) {
      link.send(wasSynced ? [...orders, commit] : this.store.snapshotOrders());
    }
    if (!wasSynced && this.store.isSynced) this.#events.synced();
    if (update.kind === "trust-bundle") this.certificates.bundleArrived();
    const enforced = new Promise<void>((resolve, reject) => this.#waiting.push({ generation, resolve, reject }));
    this.#settle();
    return { refused, enforced };
  }

  /** Tells who waits for a generation that every worker has it. */
  #settle(): void {
    const enforced = this.enforcedGeneration;
    const reached = this.#waiting.filter(({ generation }) => generation <= enforced);
    this.#waiting = this.#waiting.filter(({ generation }) => generation > enforced);
    for (const { resolve } of reached) resolve();
  }

  #onConnected(isConnected: boolean, problem: string | undefined): void {
    const state = this.controlPlane;
    if (!isConnected) {
      state.lastError = problem === undefined ? undefined : withClockHint(problem, this.#clock.now());
      // Nobody acknowledges on a stream that is gone.
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("the control stream ended"));
      this.store.forgetRefused();
    }
    if (state.isConnected === isConnected) return;
    state.isConnected = isConnected;
    state.since = this.#clock.now();
    if (isConnected) {
      this.#logger.info("connected to the control plane");
      // Pods that came meanwhile wait for their first certificates.
      this.certificates.retryFailed();
    } else {
      state.terminations++;
      this.#logger.warn({ problem: state.lastError }, "the control plane is away; what it last said stays in force");
    }
  }

  #onIssued(owner: CertificateOwner, credentials: Credentials): void {
    const { identity, worker } = owner;
    this.#logger.info(
      { identity, worker, notAfter: new Date(credentials.notAfter).toISOString() },
      "certificate issued",
    );
    this.#sendTo(worker, [credentialOrder(owner, credentials)]);
  }

  #updateCertificates(): void {
    for (const { identity, worker } of this.certificates.want(this.pods.certificateOwners)) {
      this.#sendTo(worker, [{ kind: "credential-gone", identity }]);
    }
  }

  #sendTo(worker: number, orders: readonly AgentOrder[]): void {
    for (const link of this.#workers.values()) if (link.life.index === worker) link.send(orders);
  }
}

const credentialOrder = ({ identity }: CertificateOwner, { key, chain }: Credentials): AgentOrder => ({
  kind: "credential",
  identity,
  chain,
  key: exportPrivateKey(key),
});
