import { constants } from "node:os";
import type { LaunchedRuntime } from "#local/launch/launch-runtime.ts";
import { bringDown } from "./commands/down.ts";
import { type ChosenMesh, isUp } from "./mesh-choice.ts";
import { whenUnread } from "./output/unread-output.ts";

/** Signals that ask `heddle up` to end. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export type InterruptionSignal = (typeof SIGNALS)[number] | "SIGPIPE";

/** The end of a mesh that somebody wants while it is started or held: in order when asked once, at once when asked again. */
export class Interruption {
  /** Resolves when the mesh has ended because it was asked to. @throws CliFailure if it does not end */
  readonly done: Promise<undefined>;
  readonly #mesh: ChosenMesh;
  readonly #runtime: LaunchedRuntime;
  readonly #onAsked: () => void;
  readonly #settle = Promise.withResolvers<undefined>();
  #signal: InterruptionSignal | undefined;
  #isKilled = false;

  constructor(mesh: ChosenMesh, runtime: LaunchedRuntime, onAsked: () => void) {
    this.#mesh = mesh;
    this.#runtime = runtime;
    this.#onAsked = onAsked;
    this.done = this.#settle.promise;
    // Whoever awaits it hears of a failure; until then there may be nobody.
    this.done.catch(() => {});
  }

  /** What asked for it first; undefined while nobody did. */
  get signal(): InterruptionSignal | undefined {
    return this.#signal;
  }

  /**
   * Listens for signals. A mesh in the foreground whose output nobody reads any more ends too, as it does when its terminal
   * is closed: nobody would learn that it is still there. One that is to stay in the background goes on without output.
   */
  listen(isAttached: boolean): void {
    for (const signal of SIGNALS) process.on(signal, () => this.ask(signal));
    whenUnread(() => {
      if (isAttached && this.#signal === undefined) this.ask("SIGPIPE");
    });
  }

  ask(signal: InterruptionSignal): void {
    if (this.#signal !== undefined) return this.#kill();
    this.#signal = signal;
    this.#onAsked();
    this.#end().then(this.#settle.resolve, this.#settle.reject);
  }

  async #end(): Promise<undefined> {
    try {
      if (await isUp(this.#mesh.state)) await bringDown(this.#mesh);
      else this.#kill();
    } catch (error) {
      if (!this.#isKilled) throw error;
    }
    await this.#runtime.exited;
    return undefined;
  }

  #kill(): void {
    this.#isKilled = true;
    this.#runtime.kill();
  }
}

/** What a shell says of a program that ended by a signal. */
export const exitCodeOf = (signal: InterruptionSignal): number => 128 + constants.signals[signal];
