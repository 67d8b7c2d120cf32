import type { Writable } from "node:stream";
import type { InventoryPod, InventoryService } from "#mesh/admin/inventory.ts";
import { assertNever } from "#mesh/assert-never.ts";
import { backoffDelayMs, type BackoffSettings } from "#mesh/backoff.ts";
import type { Clock } from "#mesh/clock.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import type { PodPlace } from "../addresses/address-book.ts";
import { nodeName } from "../addresses/address-plan.ts";
import type { ContainerPlan, PodPlan } from "../containers/container-plan.ts";
import { podCapabilities } from "../containers/container-plan.ts";
import type { RunningContainer } from "../containers/container-runner.ts";
import { PodContainers } from "../containers/pod-containers.ts";
import type { EnrolmentLink } from "../enrolment/enrolment-link.ts";
import type { EnrolledPod } from "../enrolment/messages.ts";
import { namespacePath } from "../network/namespace-path.ts";
import type { PodReport } from "../status.ts";
import type { AssignedFolder, AssignedPod } from "./assigned-folder.ts";
import { nextStep, type PodStep } from "./next-step.ts";
import {
  buildSandbox,
  hostNetworkSandbox,
  plannedSandbox,
  type PodSandbox,
  removeSandbox,
  updateHosts,
} from "./pod-sandbox.ts";

/** What a pod needs from the machine it runs on. */
export interface PodHost {
  readonly clock: Clock;
  readonly random: () => number;
  readonly hasIpv6: boolean;
  readonly assigned: AssignedFolder;
  readonly newUid: () => string;
  readonly placeOf: (key: string, node: number) => Result<PodPlace, string>;
  readonly linkTo: (node: number) => EnrolmentLink;
  readonly startContainer: (sandbox: PodSandbox, plan: ContainerPlan, log: Writable) => RunningContainer;
  readonly openLog: (pod: InventoryPod) => Writable;
  /** The services as they are now. */
  readonly services: () => readonly InventoryService[];
}

/** A pod that can run here. */
export interface PodDeclaration {
  readonly pod: InventoryPod;
  readonly plan: PodPlan;
  readonly node: number;
  readonly enrol: boolean;
}

/** A disk that is full, most likely. */
const UNANNOUNCED = "it cannot be announced";
const PUBLISH_AGAIN_MS = 2_000;
const RETRY_BACKOFF: BackoffSettings = { firstMs: 250, maxMs: 10_000, jitter: 0.2 };
/** What other pods' proxies get to hear that a pod has left the mesh or is no endpoint any more, before its tunnels end. */
const LEAVING_NOTICE_MS = 1_000;

/**
 * One pod, brought step by step to what was declared last. Its steps run one after the other, and independently of every
 * other pod; a step that failed is tried again, later and later, until it succeeds or something else is declared.
 */
export class Pod {
  readonly key: string;
  readonly #host: PodHost;
  #declared: PodDeclaration | undefined;
  #objections: readonly string[] = [];
  #running: { readonly declaration: PodDeclaration; readonly sandbox: PodSandbox } | undefined;
  #containers: PodContainers | undefined;
  #enrolled = false;
  #deletedAt: string | undefined;
  #step: PodStep = "rest";
  #cancelPublish: (() => void) | undefined;
  #problem: string | undefined;
  #failures = 0;
  #changed = new AbortController();
  #busy = false;
  #work: Promise<void> = Promise.resolve();
  #graceLimitMs = Number.POSITIVE_INFINITY;
  readonly #ending = new AbortController();

  constructor(key: string, host: PodHost) {
    this.key = key;
    this.#host = host;
  }

  /** The pod as it should be from now on; undefined if it should not be. */
  declare(declaration: PodDeclaration | undefined): void {
    this.#objections = [];
    const isNew = JSON.stringify(declaration) !== JSON.stringify(this.#declared);
    this.#declared = declaration;
    if (!isNew) return;
    this.#failures = 0;
    this.#changed.abort();
    this.#wake();
  }

  /** What was declared last cannot run here. A version that runs already runs on. */
  object(problems: readonly string[]): void {
    this.#objections = problems;
  }

  /** Ends the pod, within this time however long it asks for. */
  async end(graceLimitMs: number): Promise<void> {
    this.#graceLimitMs = graceLimitMs;
    this.#ending.abort();
    if (this.#deletedAt !== undefined) void this.#containers?.stop(graceLimitMs);
    this.declare(undefined);
    await this.#work;
  }

  /** Done when there is nothing to do, for now. */
  get settled(): Promise<void> {
    return this.#work;
  }

  get uid(): string | undefined {
    return this.#running?.sandbox.uid;
  }

  get containers(): PodContainers | undefined {
    return this.#containers;
  }

  refreshHosts(): void {
    if (this.#running !== undefined) updateHosts(this.#running.sandbox, this.#host.services());
  }

  /** The supervisor knows the pod no longer. */
  captureLost(reason: string): void {
    this.#enrolled = false;
    this.#problem = `the node's proxy does not take it again: ${reason}`;
    this.#publish();
    this.#wake();
  }

  report(key: { readonly namespace: string; readonly name: string }): PodReport {
    const sandbox = this.#running?.sandbox;
    const node = sandbox?.node ?? this.#declared?.node;
    return {
      ...key,
      uid: sandbox?.uid,
      node: node === undefined ? undefined : nodeName(node),
      serviceAccount: (sandbox?.pod ?? this.#declared?.pod)?.serviceAccount ?? "default",
      hostNetwork: (sandbox?.pod ?? this.#declared?.pod)?.hostNetwork ?? false,
      addresses: sandbox?.addresses ?? [],
      phase: this.#containers?.phase ?? "Pending",
      ready: this.#ready,
      step: this.#step,
      enrol: this.#declared?.enrol ?? false,
      enrolled: this.#enrolled,
      containers: this.#containers?.reports ?? [],
      objections: this.#objections,
      problem: this.#problem,
    };
  }

  get #ready(): boolean {
    return this.#deletedAt === undefined && this.#containers?.ready === true;
  }

  #wake(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#work = this.#converge();
  }

  async #converge(): Promise<void> {
    for (;;) {
      this.#changed = new AbortController();
      this.#step = nextStep(this.#wanted, this.#actual);
      if (this.#step === "rest") {
        this.#busy = false;
        return;
      }
      const result = await this.#perform(this.#step, this.#changed.signal).catch((error: unknown) =>
        err(String(error)),
      );
      this.#problem = result.ok ? undefined : result.error;
      if (result.ok) this.#failures = 0;
      else await this.#pause(this.#changed.signal);
    }
  }

  get #wanted() {
    const declared = this.#declared;
    return declared && { specHash: declared.pod.specHash, node: declared.node, enrol: declared.enrol };
  }

  get #actual() {
    if (this.#running === undefined) return undefined;
    const { pod, node } = this.#running.declaration;
    return { specHash: pod.specHash, node, enrolled: this.#enrolled, started: this.#containers !== undefined };
  }

  #perform(step: Exclude<PodStep, "rest">, signal: AbortSignal): Promise<Result<void, string>> {
    switch (step) {
      case "set-up":
        return this.#setUp();
      case "enrol":
        return this.#enrol(signal);
      case "start":
        return this.#start();
      case "release":
        return this.#release();
      case "tear-down":
        return this.#tearDown();
      default:
        return assertNever(step);
    }
  }

  async #setUp(): Promise<Result<void, string>> {
    const declaration = this.#declared;
    if (declaration === undefined) return ok(undefined);
    const { hasIpv6, newUid, services } = this.#host;
    const planned = this.#plan(declaration, newUid(), hasIpv6);
    if (!planned.ok) return planned;
    const built = await buildSandbox(planned.value, services(), hasIpv6);
    if (!built.ok) return built;
    this.#running = { declaration, sandbox: planned.value };
    this.#deletedAt = undefined;
    // Services may have changed while it was built.
    this.refreshHosts();
    this.#publish();
    return ok(undefined);
  }

  #plan({ pod, node }: PodDeclaration, uid: string, hasIpv6: boolean): Result<PodSandbox, string> {
    if (pod.hostNetwork) return ok(hostNetworkSandbox(pod, node, uid, hasIpv6));
    const place = this.#host.placeOf(this.key, node);
    return place.ok ? ok(plannedSandbox(pod, place.value, uid, hasIpv6)) : place;
  }

  async #enrol(signal: AbortSignal): Promise<Result<void, string>> {
    const running = this.#running;
    if (running === undefined) return ok(undefined);
    const enrolled = await this.#host.linkTo(running.sandbox.node).enrol(enrolledPod(running), signal);
    if (!enrolled.ok) return err(`the node's proxy did not take it: ${enrolled.error}`);
    this.#enrolled = true;
    this.#publish();
    return ok(undefined);
  }

  async #start(): Promise<Result<void, string>> {
    const running = this.#running;
    if (running === undefined) return ok(undefined);
    const { declaration, sandbox } = running;
    const { clock, random, startContainer, openLog } = this.#host;
    const log = openLog(sandbox.pod);
    this.#containers = new PodContainers({
      plan: declaration.plan,
      policy: sandbox.pod.restartPolicy,
      start: (plan) => startContainer(sandbox, plan, log),
      clock,
      random,
      onChange: () => this.#publish(),
    });
    this.#containers.start();
    return ok(undefined);
  }

  async #release(): Promise<Result<void, string>> {
    const running = this.#running;
    if (running === undefined) return ok(undefined);
    const link = this.#host.linkTo(running.sandbox.node);
    this.#enrolled = false;
    this.#publish();
    await this.#notice(LEAVING_NOTICE_MS);
    await link.drain(running.sandbox.uid);
    await link.withdraw(running.sandbox.uid);
    return ok(undefined);
  }

  /** Its endpoints end first, then its tunnels, then its containers, then the capture, then the network. */
  async #tearDown(): Promise<Result<void, string>> {
    const running = this.#running;
    if (running === undefined) return ok(undefined);
    const { sandbox } = running;
    const { clock, assigned, linkTo } = this.#host;
    this.#deletedAt ??= new Date(clock.now()).toISOString();
    this.#publish();
    const noticeMs = this.#containers === undefined ? 0 : Math.min(LEAVING_NOTICE_MS, this.#graceMs(sandbox));
    const noticedMs = await this.#notice(noticeMs);
    if (this.#enrolled) await linkTo(sandbox.node).drain(sandbox.uid);
    await this.#containers?.stop(Math.max(0, this.#graceMs(sandbox) - noticedMs));
    this.#containers = undefined;
    // Also where enrolling was given up half-way: one socket that is left keeps the namespace alive.
    if (!sandbox.pod.hostNetwork) await linkTo(sandbox.node).withdraw(sandbox.uid);
    this.#enrolled = false;
    const removed = await removeSandbox(sandbox);
    if (!removed.ok) return removed;
    assigned.removePod(sandbox.pod.namespace, sandbox.pod.name);
    this.#running = undefined;
    return ok(undefined);
  }

  /** Waits until others know what was published; not when everything ends. @returns how long it took of the pod's time to end */
  #notice(ms: number): Promise<number> {
    if (ms === 0 || this.#ending.signal.aborted) return Promise.resolve(0);
    const { clock } = this.#host;
    const [{ promise, resolve }, startedAt] = [Promise.withResolvers<number>(), clock.now()];
    const cancel = clock.after(ms, () => resolve(ms));
    this.#ending.signal.addEventListener("abort", () => {
      cancel();
      resolve(Math.min(ms, Math.max(0, clock.now() - startedAt)));
    });
    return promise;
  }

  /** How long the containers may take to end. */
  #graceMs({ pod }: PodSandbox): number {
    return Math.min(pod.terminationGracePeriodSeconds * 1000, this.#graceLimitMs);
  }

  #publish(): void {
    this.#cancelPublish?.();
    this.#cancelPublish = undefined;
    if (this.#running === undefined) return;
    try {
      this.#host.assigned.setPod(this.#assignment(this.#running.sandbox));
      if (this.#problem?.startsWith(UNANNOUNCED)) this.#problem = undefined;
    } catch (error) {
      this.#problem = `${UNANNOUNCED}: ${String(error)}`;
      this.#cancelPublish = this.#host.clock.after(PUBLISH_AGAIN_MS, () => this.#publish());
    }
  }

  #assignment({ pod, uid, node, addresses }: PodSandbox): AssignedPod {
    return {
      namespace: pod.namespace,
      name: pod.name,
      uid,
      node: nodeName(node),
      phase: this.#containers?.phase ?? "Pending",
      ready: this.#ready,
      addresses,
      captured: this.#enrolled,
      deletionTimestamp: this.#deletedAt,
    };
  }

  /** Waits before a step is tried again, but not when something else was declared. */
  #pause(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#host;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (signal.aborted) resolve();
    const cancel = clock.after(backoffDelayMs(RETRY_BACKOFF, this.#failures++, random), resolve);
    signal.addEventListener("abort", () => {
      cancel();
      resolve();
    });
    return promise;
  }
}

const enrolledPod = ({
  declaration,
  sandbox,
}: {
  readonly declaration: PodDeclaration;
  readonly sandbox: PodSandbox;
}): EnrolledPod => ({
  uid: sandbox.uid,
  namespace: sandbox.pod.namespace,
  name: sandbox.pod.name,
  serviceAccount: sandbox.pod.serviceAccount,
  addresses: sandbox.addresses,
  netns: namespacePath(sandbox.networkNamespace),
  node: nodeName(sandbox.node),
  probeAddresses: [],
  capabilities: podCapabilities(declaration.plan),
});
