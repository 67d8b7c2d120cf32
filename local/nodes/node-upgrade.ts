import type { Clock } from "#mesh/clock.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import type { EnrolmentLink } from "../enrolment/enrolment-link.ts";
import type { ManagedProcess } from "../processes/managed-process.ts";

/** How much time an upgrade gives. Whole seconds. */
export interface UpgradePace {
  /** To what is open, for ending by itself. */
  readonly drainSeconds: number;
  /** To the new proxy, for being as ready as the old one is. */
  readonly readySeconds: number;
}

/** What happens during the upgrade of a node. */
export type UpgradeEvent =
  | { readonly event: "starting"; readonly node: string }
  /** The new one accepts, and the old one does not. */
  | { readonly event: "serving"; readonly node: string }
  /** So many connections are left with the old one; told again when there are fewer. */
  | { readonly event: "draining"; readonly node: string; readonly connections: number; readonly endsInMs: number }
  | { readonly event: "done"; readonly node: string }
  /** The old one goes on. */
  | { readonly event: "failed"; readonly node: string; readonly reason: string };

export const paceEnvironment = ({ drainSeconds, readySeconds }: UpgradePace): Readonly<Record<string, string>> => ({
  HEDDLE_DRAIN_SECONDS: String(drainSeconds),
  HEDDLE_TAKE_OVER_SECONDS: String(readySeconds),
});

export interface NodeUpgradeSettings {
  readonly node: string;
  readonly old: ManagedProcess;
  /** Takes over from whoever serves the node, as every supervisor does that is started. */
  readonly next: ManagedProcess;
  readonly link: EnrolmentLink;
  readonly clock: Clock;
}

const LOOK_MS = 50;
const ANSWER_MS = 1_000;
/** Beside the time to get ready: for starting, and for pods that were just being enrolled. */
const START_MS = 45_000;
const STOP_GRACE_MS = 2_000;

/** The replacement of one node's proxy by another process. */
export class NodeUpgrade {
  readonly #settings: NodeUpgradeSettings;

  constructor(settings: NodeUpgradeSettings) {
    this.#settings = settings;
  }

  /** Starts the new one. @returns when it serves the node; why it does not, and is gone, while the old one goes on */
  async replace({ readySeconds }: UpgradePace, tell: (event: UpgradeEvent) => void): Promise<Result<void, string>> {
    const { node, old, next, clock } = this.#settings;
    tell({ event: "starting", node });
    // Whichever of the two ends by itself is not to be started again: the other would have to hand over to it.
    old.letEnd();
    next.start();
    next.letEnd();
    const deadline = clock.now() + START_MS + readySeconds * 1000;
    while (!(await this.#isServing())) {
      const reason = clock.now() > deadline ? "the new proxy does not take over in time" : this.#endOfNext();
      if (reason === undefined) {
        await this.#pause();
        continue;
      }
      await next.stop(STOP_GRACE_MS);
      old.start();
      return err(reason);
    }
    next.start();
    tell({ event: "serving", node });
    return ok(undefined);
  }

  /** Resolves when nothing is left of the old one. */
  async drained(tell: (event: UpgradeEvent) => void): Promise<void> {
    const { node, old, link } = this.#settings;
    let told: number | undefined;
    while (old.status.kind === "running") {
      const left = (await link.supervisor(ANSWER_MS))?.draining;
      if (left !== undefined && left.connections > 0 && left.connections < (told ?? Number.POSITIVE_INFINITY)) {
        told = left.connections;
        tell({ event: "draining", node, connections: left.connections, endsInMs: left.endsInMs });
      }
      await this.#pause();
    }
    tell({ event: "done", node });
  }

  /** Ends both, whatever they do. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all([this.#settings.old.stop(graceMs), this.#settings.next.stop(graceMs)]);
  }

  async #isServing(): Promise<boolean> {
    const { next, link } = this.#settings;
    const serving = await link.supervisor(ANSWER_MS);
    return serving !== undefined && serving.pid === next.pid;
  }

  #endOfNext(): string | undefined {
    const { next } = this.#settings;
    if (next.pid !== undefined) return undefined;
    const { exit, complaint } = next.lastEnd ?? { exit: "it was not started" };
    return complaint?.replace(/^heddle supervisor: /, "") ?? `the new proxy ended (${exit})`;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#settings.clock.after(LOOK_MS, resolve);
    });
  }
}
