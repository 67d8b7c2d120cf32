import type { EnrolledPod } from "./enrolled-pod.ts";
import type { Log } from "./log.ts";
import type { Turns } from "./turns.ts";

/** How often each pod's rules are looked at. */
const CHECK_MS = 30_000;

export interface CaptureWatchSettings {
  readonly turns: Turns;
  readonly log: Log;
  readonly pods: () => Iterable<EnrolledPod>;
  readonly isKnown: (pod: EnrolledPod) => boolean;
  /** {@link EnrolledPod.captureProblem} may be another. */
  readonly onChecked: (pod: EnrolledPod) => void;
}

/** Looks whether every pod is still captured. What was lost is put back, and said. */
export class CaptureWatch {
  readonly #settings: CaptureWatchSettings;
  #checks: NodeJS.Timeout | undefined;

  constructor(settings: CaptureWatchSettings) {
    this.#settings = settings;
  }

  start(): void {
    this.#checks = setInterval(() => void this.checkAll(), CHECK_MS);
  }

  stop(): void {
    clearInterval(this.#checks);
  }

  /** Brings pods that another supervisor captured up to date, and looks at every pod then. */
  async renewAll(): Promise<void> {
    const { turns, log, pods, isKnown } = this.#settings;
    for (const pod of pods()) {
      await turns
        .run(pod.record.uid, async () => {
          const isRenewed = isKnown(pod) && (await pod.capture.renew());
          if (isRenewed) log("info", "rules and settings of another version are replaced", { pod: pod.title });
        })
        .catch((error: unknown) => {
          log("error", "the capture of a pod stays that of another version", { pod: pod.title, error: String(error) });
        });
    }
    await this.checkAll();
  }

  /** Looks at every pod now. */
  async checkAll(): Promise<void> {
    const { turns, log, pods } = this.#settings;
    for (const pod of pods()) {
      await turns
        .run(pod.record.uid, () => this.#check(pod))
        .catch((error: unknown) => {
          log("error", "the capture of a pod cannot be checked", { pod: pod.title, error: String(error) });
        });
    }
  }

  async #check(pod: EnrolledPod): Promise<void> {
    const { log, isKnown, onChecked } = this.#settings;
    if (!isKnown(pod)) return;
    const problem = await pod.capture.check();
    if (problem === undefined && pod.captureProblem === undefined) return;
    if (problem !== undefined) log("error", "a pod was not captured any more", { pod: pod.title, problem });
    const repaired = problem === undefined || (await this.#repair(pod));
    pod.captureProblem = repaired ? undefined : problem;
    onChecked(pod);
  }

  async #repair(pod: EnrolledPod): Promise<boolean> {
    const { log } = this.#settings;
    try {
      await pod.capture.install();
      log("warn", "the pod is captured again", { pod: pod.title });
      return true;
    } catch (error) {
      log("error", "the pod cannot be captured again", { pod: pod.title, error: String(error) });
      return false;
    }
  }
}
