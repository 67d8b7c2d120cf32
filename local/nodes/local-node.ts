import { chownSync, mkdirSync } from "node:fs";
import type { Writable } from "node:stream";
import type { AgentStatus } from "#mesh/admin/agent-status.ts";
import type { NodeStatus } from "#mesh/admin/control-plane-status.ts";
import type { Clock } from "#mesh/clock.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { nodeAddresses, nodeName, usable } from "../addresses/address-plan.ts";
import { EnrolmentLink } from "../enrolment/enrolment-link.ts";
import { HangWatch } from "../processes/hang-watch.ts";
import { ManagedProcess } from "../processes/managed-process.ts";
import { nodeLayout } from "../run-layout.ts";
import { UnixClient } from "../socket/unix-client.ts";
import type { NodeReport } from "../status.ts";
import { NodeUpgrade, paceEnvironment, type UpgradeEvent, type UpgradePace } from "./node-upgrade.ts";
import { JoinToken } from "./join-token.ts";
import type { ProcessPlan } from "./node-processes.ts";

export interface LocalNodeSettings {
  readonly node: number;
  readonly hasIpv6: boolean;
  readonly supervisor: ProcessPlan;
  /** The user id of the node's agent. */
  readonly agentUid: number;
  readonly log: Writable;
  readonly controlPlane: UnixClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onCaptureLost: (uid: string, reason: string) => void;
}

/** A status page is asked for by people; a node that is busy starting must not make them wait. */
const STATUS_TIMEOUT_MS = 1_000;
/** How long a node waits for the control plane before it starts without it. */
const CONTROL_PLANE_START_MS = 5_000;
/** What a supervisor gets to end its workers in order. */
const STOP_GRACE_MS = 2_000;
/** Longer than it is waited for an answer; a question must not wait for ever. */
const SILENCE_MS = 60_000;
const HUNG = "the supervisor does not answer; ending it, so that another takes its place";

/** One node of a local mesh: its supervisor, the connection to it, and its proof of who it is. */
export class LocalNode {
  readonly name: string;
  readonly link: EnrolmentLink;
  #supervisor: ManagedProcess;
  #agent: UnixClient;
  readonly #settings: LocalNodeSettings;
  readonly #joinToken: JoinToken;
  readonly #watch: HangWatch;
  #isStopped = false;
  #upgrade: NodeUpgrade | undefined;

  constructor(settings: LocalNodeSettings) {
    const { node, supervisor, agentUid, log, controlPlane, clock, random, onCaptureLost } = settings;
    const layout = nodeLayout(node);
    this.#settings = settings;
    this.name = nodeName(node);
    this.#supervisor = new ManagedProcess({ ...supervisor, log, clock, random });
    this.link = new EnrolmentLink({ path: layout.enrolSocket, clock, random, onLost: onCaptureLost });
    this.#agent = new UnixClient(layout.agentSocket);
    this.#watch = new HangWatch({
      ask: () => this.link.supervisor(SILENCE_MS),
      isExpected: () => this.link.connected && this.#upgrade === undefined,
      onHung: (looks) => {
        log.write(`${JSON.stringify({ level: "error", process: "runtime", node: this.name, looks, msg: HUNG })}\n`);
        this.#supervisor.kill();
      },
      clock,
    });
    this.#joinToken = new JoinToken({
      node: this.name,
      path: layout.joinToken,
      uid: agentUid,
      controlPlane,
      clock,
      random,
    });
  }

  get supervisor(): ManagedProcess {
    return this.#supervisor;
  }

  /**
   * Replaces the node's proxy by one that is started now. Resolves when everything of the old one has ended.
   * @returns why the old one goes on instead
   */
  async upgrade(pace: UpgradePace, tell: (event: UpgradeEvent) => void): Promise<Result<void, string>> {
    if (this.#upgrade !== undefined) return err("it is being upgraded already");
    if (this.#isStopped || this.#supervisor.pid === undefined) return err("its proxy does not run");
    const { supervisor, log, clock, random } = this.#settings;
    const environment = { ...supervisor.environment, ...paceEnvironment(pace) };
    const next = new ManagedProcess({ ...supervisor, environment, log, clock, random });
    const upgrade = new NodeUpgrade({ node: this.name, old: this.#supervisor, next, link: this.link, clock });
    this.#upgrade = upgrade;
    try {
      const replaced = await upgrade.replace(pace, tell);
      if (!replaced.ok) return replaced;
      this.#supervisor = next;
      // A connection that is kept open would lead to the agent that was replaced.
      void this.#agent.close();
      this.#agent = new UnixClient(nodeLayout(this.#settings.node).agentSocket);
      await upgrade.drained(tell);
      return ok(undefined);
    } finally {
      this.#upgrade = undefined;
    }
  }

  start(): void {
    const { folder, agentFolder } = nodeLayout(this.#settings.node);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    mkdirSync(agentFolder, { mode: 0o700 });
    chownSync(agentFolder, this.#settings.agentUid, this.#settings.agentUid);
    this.link.open();
    this.#watch.start();
    void this.#joinToken.keep();
    void this.#startSupervisor();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#joinToken.close();
    this.#watch.stop();
    this.link.close();
    await Promise.all([this.#upgrade?.stop(STOP_GRACE_MS), this.#supervisor.stop(STOP_GRACE_MS)]);
  }

  async report(links: readonly NodeStatus[]): Promise<NodeReport> {
    const [status, serving] = await Promise.all([
      this.#agent.json<AgentStatus>("/status", { timeoutMs: STATUS_TIMEOUT_MS }),
      this.link.supervisor(STATUS_TIMEOUT_MS),
    ]);
    return {
      name: this.name,
      addresses: usable(nodeAddresses(this.#settings.node), this.#settings.hasIpv6),
      supervisor: this.#supervisor.status,
      enrolment: this.link.connected,
      isSilent: this.link.connected && serving === undefined,
      draining: serving?.draining,
      agent: status.ok ? status.value : undefined,
      agentProblem: status.ok ? undefined : status.error,
      link: links.find(({ node }) => node === this.name),
    };
  }

  /** An agent that finds the control plane at once need not try again, later and later. */
  async #startSupervisor(): Promise<void> {
    const { clock } = this.#settings;
    const waitedLongEnough = new Promise<void>((resolve) => {
      clock.after(CONTROL_PLANE_START_MS, resolve);
    });
    await Promise.race([this.#joinToken.present, waitedLongEnough]);
    if (!this.#isStopped) this.#supervisor.start();
  }
}
