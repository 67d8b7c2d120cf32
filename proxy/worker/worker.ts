import { systemClock } from "#mesh/clock.ts";
import type { AgentOrder } from "../channel/agent-order.ts";
import { closeDescriptors, type DescriptorMessage, wholeMessage } from "../channel/descriptor-channel.ts";
import { openSupervisorChannel, type SupervisorChannel } from "../channel/supervisor-channel.ts";
import { decodeWorkerMessage, type WorkerMessage } from "../channel/message.ts";
import { encodeWorkerRecord } from "../channel/worker-record.ts";
import { OPEN_FILES_REMEDY } from "../kernel/open-files.ts";
import { Budget } from "./accept/budget.ts";
import { AgentLink } from "./agent-link.ts";
import { connectionDescriptors } from "./connection-descriptors.ts";
import { DISTRUSTED } from "./peer-trust.ts";
import {
  admitHandshake,
  type Pipeline,
  refuseHandshake,
  refuseUnready,
  serveInbound,
  serveOutbound,
  serveTunnelConnection,
} from "./pipeline.ts";
import { Retirement } from "./retirement.ts";
import { RoundRobin } from "./select/round-robin.ts";
import { type PodEvents, ServedPod } from "./served-pod.ts";
import type { WorkerSettings } from "./settings.ts";
import { SnapshotFeed } from "./snapshot-feed.ts";
import { Counters } from "./vitals/counters.ts";
import { FlowLog } from "./vitals/flow-log.ts";
import { RequestMetrics } from "./vitals/request-metrics.ts";
import { RouteMetrics } from "./vitals/route-metrics.ts";
import { TcpMetrics } from "./vitals/tcp-metrics.ts";

/** How soon what happened is told to the agent; what a worker that is killed had not told is lost. */
const REPORT_MS = 100;
/** How many reports later it says which pods it serves although nothing changed, so that the agent knows that it lives. */
const LIFE_SIGN_REPORTS = 10;
/** How long the agent may take to read the last report. */
const LAST_REPORT_MS = 2_000;
/** How often it is said that the limit of open files is reached. */
const SAY_SHORT_MS = 60_000;
/** How often idle tunnel connections are looked for. */
const SWEEP_MS = 5_000;

/** A worker: the pods it is the home of, and what it knows of the mesh. */
export class Worker {
  readonly #settings: WorkerSettings;
  readonly #pods = new Map<number, ServedPod>();
  readonly #counters = new Counters();
  readonly #flows: FlowLog;
  readonly #feed: SnapshotFeed;
  readonly #agent: AgentLink;
  readonly #supervisor: SupervisorChannel;
  readonly #pipeline: Pipeline;
  #serving = "";
  #reports = 0;
  #needsRefresh = false;
  #retirement: Retirement | undefined;
  #saidShortAt = Number.NEGATIVE_INFINITY;
  /** What the agent that we have now was not told yet. */
  #applied: number | undefined;

  /**
   * @param now milliseconds of a clock that only goes forward
   * @param openFileLimit how many descriptors the process may have
   */
  constructor(settings: WorkerSettings, now: () => number, log: (message: string) => void, openFileLimit: number) {
    this.#settings = settings;
    this.#flows = new FlowLog(settings.accessLog, settings.accessLogRate);
    this.#feed = new SnapshotFeed(log);
    this.#pipeline = {
      snapshot: () => this.#feed.snapshot,
      roundRobin: new RoundRobin(),
      descriptors: new Budget(connectionDescriptors(openFileLimit)),
      vitals: {
        metrics: new TcpMetrics(this.#counters),
        requests: new RequestMetrics(this.#counters),
        routes: new RouteMetrics(this.#counters),
        flows: this.#flows,
        now,
      },
      clock: systemClock,
      settings,
      onMistake: ({ pod }, error) =>
        log(`${pod.namespace}/${pod.name}: ${error instanceof Error ? error.stack : String(error)}`),
    };
    this.#agent = new AgentLink(
      (order) => this.#onOrder(order),
      () => this.#refresh(),
    );
    this.#supervisor = openSupervisorChannel(
      (message) => this.#onMessage(message, now, log),
      () => process.exit(0),
    );
  }

  /** Says that it is there, and goes on until the supervisor is gone. */
  start(): void {
    this.#supervisor.write(encodeWorkerRecord({ kind: "ready" }));
    setInterval(() => this.#report(), REPORT_MS);
    setInterval(() => this.#flows.nextSecond(), 1_000);
    setInterval(() => {
      for (const { tunnels, http } of this.#pods.values()) {
        http.sweep(this.#settings.upstream.tunnelIdleMs);
        tunnels.sweep(this.#settings.upstream.tunnelIdleMs);
      }
    }, SWEEP_MS);
  }

  #onMessage(
    { payload, descriptors, isShort = false }: DescriptorMessage,
    now: () => number,
    log: (message: string) => void,
  ): void {
    const message = decodeWorkerMessage(payload);
    if (message.kind !== "sockets") wholeMessage({ payload, descriptors, isShort });
    else if (isShort) this.#sayShort(now(), log);
    if (message.kind === "agent") return this.#onAgent(descriptors);
    if (message.kind === "pod") return this.#onPod(message, descriptors, now, log);
    if (message.kind === "accept") return this.#accept();
    if (message.kind === "retire") return this.#retire(message.drainMs, now);
    const pod = this.#pods.get(message.slot);
    if (!pod) return closeDescriptors(descriptors);
    if (message.kind === "sockets") return pod.stocks[message.sockets].add(descriptors);
    if (message.kind === "drain") return pod.drain();
    this.#pods.delete(message.slot);
    pod.close();
  }

  /** Sockets that did not come are asked for again while somebody waits for them. */
  #sayShort(now: number, log: (message: string) => void): void {
    if (now - this.#saidShortAt < SAY_SHORT_MS) return;
    this.#saidShortAt = now;
    log(`the limit of open files is reached: ${OPEN_FILES_REMEDY}`);
  }

  #onAgent([descriptor = -1]: readonly number[]): void {
    this.#agent.replace(descriptor);
    this.#feed.startOver();
    this.#counters.startOver();
    this.#serving = "";
  }

  #onPod(
    { slot, pod, isHeld }: Extract<WorkerMessage, { kind: "pod" }>,
    descriptors: readonly number[],
    now: () => number,
    log: (message: string) => void,
  ): void {
    const served = new ServedPod(slot, pod, descriptors, isHeld, this.#settings, now, this.#events(log));
    this.#pods.set(slot, served);
    served.refresh(this.#feed.snapshot, this.#feed.credentialsOf(served.identity));
  }

  #accept(): void {
    for (const pod of this.#pods.values()) pod.accept();
  }

  #retire(drainMs: number, now: () => number): void {
    if (this.#retirement) return;
    const clock = { ...systemClock, now };
    this.#retirement = new Retirement(() => this.#pods.values(), drainMs, clock, {
      left: (count) => this.#supervisor.write(encodeWorkerRecord({ kind: "draining", count })),
      over: () => void this.#end(),
    });
  }

  /** Whoever counts and logs gets the last of it first. */
  async #end(): Promise<void> {
    this.#flows.nextSecond();
    this.#report();
    const tooLong = new Promise((resolve) => {
      setTimeout(resolve, LAST_REPORT_MS);
    });
    await Promise.race([this.#agent.finish(), tooLong]);
    process.exit(0);
  }

  #onOrder(order: AgentOrder): void {
    if (this.#feed.take(order)) this.#needsRefresh = true;
    // Another agent counts in another way: only its own commits are acknowledged to it.
    if (order.kind === "commit") this.#applied = order.generation;
  }

  /** Once for all orders that came together: a pod rebuilds its TLS contexts when its certificate or the bundle changed. */
  #refresh(): void {
    if (!this.#needsRefresh) return;
    this.#needsRefresh = false;
    const { snapshot } = this.#feed;
    for (const pod of this.#pods.values()) pod.refresh(snapshot, this.#feed.credentialsOf(pod.identity));
    if (this.#applied !== undefined) this.#agent.send({ kind: "applied", generation: this.#applied });
    this.#applied = undefined;
  }

  #events(log: (message: string) => void): PodEvents {
    const mesh = this.#pipeline;
    return {
      outbound: (pod, socket) => void serveOutbound(mesh, pod, socket),
      inbound: (pod, socket) => void serveInbound(mesh, pod, socket),
      tunnel: (pod, socket, peer) => serveTunnelConnection(mesh, pod, socket, peer),
      mayHandshake: (pod, socket) => admitHandshake(mesh, pod, socket),
      refusedHandshake: (pod, socket, problem) => refuseHandshake(mesh, pod, socket, problem),
      unready: (pod, socket, direction) => refuseUnready(mesh, pod, socket, direction),
      needSockets: ({ slot }, sockets, count) =>
        this.#supervisor.write(encodeWorkerRecord({ kind: "need", slot, sockets, count })),
      distrusted: ({ pod }, count) =>
        log(`${pod.namespace}/${pod.name}: ${count} tunnel connections ended: ${DISTRUSTED}`),
      prepared: ({ slot }) => this.#supervisor.write(encodeWorkerRecord({ kind: "prepared", slot })),
      listenerFailed: (pod, error) => log(`${pod.pod.namespace}/${pod.pod.name}: cannot accept: ${error.message}`),
    };
  }

  #report(): void {
    if (!this.#agent.isUp) return;
    for (const report of this.#counters.takeReports()) this.#agent.send(report);
    for (const report of this.#flows.takeReports()) this.#agent.send(report);
    const slots = [...this.#pods.values()].filter(({ isServing }) => isServing).map(({ slot }) => slot);
    if (slots.join() === this.#serving && ++this.#reports % LIFE_SIGN_REPORTS !== 0) return;
    this.#serving = slots.join();
    this.#agent.send({ kind: "serving", slots });
  }
}
