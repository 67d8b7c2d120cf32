/** One operation at a time for each pod, so that a withdrawal never overtakes an enrolment. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();
  /** What is asked for from now on waits for it. */
  #gate: Promise<void> = Promise.resolve();

  /** The pods of which something is being done, or waits. */
  get uids(): Iterable<string> {
    return this.#last.keys();
  }

  /** Does something when everything before it is done, for good or ill. */
  run<Value>(uid: string, action: () => Promise<Value>): Promise<Value> {
    const previous = this.#last.get(uid) ?? Promise.resolve();
    const gate = this.#gate;
    const turn = previous
      .catch(() => undefined)
      .then(() => gate)
      .then(action);
    this.#last.set(uid, turn);
    const forget = (): void => {
      if (this.#last.get(uid) === turn) this.#last.delete(uid);
    };
    turn.then(forget, forget);
    return turn;
  }

  /**
   * Lets nothing begin from now on.
   * @returns how to let it, and what is done when everything that had begun is done
   */
  hold(): { readonly release: () => void; readonly settled: Promise<unknown> } {
    const settled = Promise.allSettled(this.#last.values());
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#gate;
    this.#gate = before.then(() => promise);
    return { release: resolve, settled };
  }
}
