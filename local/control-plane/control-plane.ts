import type { Writable } from "node:stream";
import type { AuthorityStatus, ControlPlaneDump } from "#mesh/admin/control-plane-status.ts";
import type { Inventory } from "#mesh/admin/inventory.ts";
import type { NodeStatus } from "#mesh/admin/control-plane-status.ts";
import type { Clock } from "#mesh/clock.ts";
import type { ProcessPlan } from "../nodes/node-processes.ts";
import { HangWatch } from "../processes/hang-watch.ts";
import { ManagedProcess } from "../processes/managed-process.ts";
import { RUN } from "../run-layout.ts";
import { UnixClient } from "../socket/unix-client.ts";
import type { ControlPlaneReport } from "../status.ts";
import { InventoryFeed } from "./inventory-feed.ts";

export interface ControlPlaneSettings {
  readonly process: ProcessPlan;
  readonly log: Writable;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onInventory: (inventory: Inventory) => void;
}

const STATUS_TIMEOUT_MS = 1_000;
const STOP_GRACE_MS = 2_000;
/** It may have a lot to read, and nobody is refused because of it. */
const PATIENCE = 20;
/** Longer than it is waited for an answer; a question must not wait for ever. */
const SILENCE_MS = 120_000;
const HUNG = "the control plane does not answer; ending it, so that another takes its place";

/** The control plane of a local mesh: its process, and what it says. */
export class ControlPlane {
  readonly admin = new UnixClient(RUN.controlPlaneSocket);
  readonly process: ManagedProcess;
  readonly #feed: InventoryFeed;
  readonly #watch: HangWatch;

  constructor({ process, log, clock, random, onInventory }: ControlPlaneSettings) {
    this.process = new ManagedProcess({ ...process, log, clock, random });
    this.#watch = new HangWatch({
      ask: () => this.admin.json("/healthz", { timeoutMs: SILENCE_MS }),
      isExpected: () => this.process.pid !== undefined,
      onHung: (looks) => {
        log.write(`${JSON.stringify({ level: "error", process: "runtime", looks, msg: HUNG })}\n`);
        this.process.kill();
      },
      patience: PATIENCE,
      clock,
    });
    this.#feed = new InventoryFeed({ controlPlane: this.admin, clock, random, onInventory });
  }

  start(): void {
    this.process.start();
    void this.#feed.run();
    this.#watch.start();
  }

  /** Hears no more of what is declared, so that what is being ended does not start again. */
  stopListening(): void {
    this.#feed.close();
  }

  async stop(): Promise<void> {
    this.stopListening();
    this.#watch.stop();
    await this.process.stop(STOP_GRACE_MS);
  }

  async report(): Promise<{ readonly report: ControlPlaneReport; readonly links: readonly NodeStatus[] }> {
    const [dump, authority] = await Promise.all([
      this.admin.json<ControlPlaneDump>("/config_dump", { timeoutMs: STATUS_TIMEOUT_MS }),
      this.admin.json<AuthorityStatus>("/certificates", { timeoutMs: STATUS_TIMEOUT_MS }),
    ]);
    const objects = dump.ok ? dump.value.objects : [];
    const report: ControlPlaneReport = {
      process: this.process.status,
      problem: dump.ok ? this.#feed.problem : dump.error,
      inventory: this.#feed.hasInventory,
      declared: objects.length,
      objects: objects.filter(({ accepted, warnings }) => !accepted || warnings.length > 0),
      statusFolder: dump.ok ? dump.value.statusFolder : undefined,
      authority: authority.ok ? authority.value : undefined,
    };
    return { report, links: dump.ok ? dump.value.nodes : [] };
  }
}
