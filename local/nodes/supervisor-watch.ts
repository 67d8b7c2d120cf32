import type { Clock } from "#mesh/clock.ts";

export interface SupervisorWatchSettings {
  /** Resolves with whatever it answers, or when it is not there any more; not at all while it hangs. */
  readonly ask: () => Promise<unknown>;
  /** Whether there is one that should answer. */
  readonly isExpected: () => boolean;
  readonly onHung: (looks: number) => void;
  readonly clock: Clock;
}

const LOOK_MS = 1_000;
/** Looks are counted and not time: who was held up himself must not blame the supervisor. */
const MAX_SILENT_LOOKS = 10;

/**
 * Notices a supervisor that hangs: its children cannot, as they have nothing to ask it for most of the time, and without it no
 * pod comes or goes and none gets the sockets that it dials with.
 */
export class SupervisorWatch {
  readonly #settings: SupervisorWatchSettings;
  #silentLooks = 0;
  #isAsked = false;
  #cancel: () => void = () => {};

  constructor(settings: SupervisorWatchSettings) {
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
    const { isExpected, onHung } = this.#settings;
    this.#silentLooks = this.#isAsked && isExpected() ? this.#silentLooks + 1 : 0;
    if (!this.#isAsked) void this.#ask();
    if (this.#silentLooks < MAX_SILENT_LOOKS) return;
    this.#silentLooks = 0;
    onHung(MAX_SILENT_LOOKS);
  }

  async #ask(): Promise<void> {
    this.#isAsked = true;
    await this.#settings.ask();
    this.#isAsked = false;
  }
}
