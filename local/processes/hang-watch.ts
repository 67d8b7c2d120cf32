import type { Clock } from "#mesh/clock.ts";

export interface HangWatchSettings {
  /** Resolves with whatever it answers, or when it is not there any more; not at all while it hangs. */
  readonly ask: () => Promise<unknown>;
  /** Whether there is one that should answer. */
  readonly isExpected: () => boolean;
  /** It has not answered for so many looks. */
  readonly onHung: (looks: number) => void;
  /** How many looks, of a second each, it may be silent for. */
  readonly patience?: number | undefined;
  readonly clock: Clock;
}

const LOOK_MS = 1_000;
/** Looks are counted and not time: who was held up himself must not blame another. */
const MAX_SILENT_LOOKS = 10;

/**
 * Notices a process that hangs: a supervisor, whose children cannot notice, as they have nothing to ask it for most of the
 * time, and without which no pod comes or goes or gets the sockets that it dials with; or a control plane.
 */
export class HangWatch {
  readonly #settings: HangWatchSettings;
  #silentLooks = 0;
  #isAsked = false;
  #cancel: () => void = () => {};

  constructor(settings: HangWatchSettings) {
    this.#settings = settings;
  }

  start(): void {
    this.#cancel = this.#settings.clock.after(LOOK_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#cancel();
  }

  #look(): void {
    const { isExpected, onHung, patience = MAX_SILENT_LOOKS } = this.#settings;
    this.#silentLooks = this.#isAsked && isExpected() ? this.#silentLooks + 1 : 0;
    if (!this.#isAsked) void this.#ask();
    if (this.#silentLooks < patience) return;
    this.#silentLooks = 0;
    onHung(patience);
  }

  async #ask(): Promise<void> {
    this.#isAsked = true;
    await this.#settings.ask();
    this.#isAsked = false;
  }
}
