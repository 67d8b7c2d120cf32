import type { Forwarding } from "./forwarding.ts";

/** The requests of a connection that are under way: in HTTP/1 one at a time. */
export class OpenRequests {
  #one: Forwarding | undefined;
  #others: Set<Forwarding> | undefined;

  add(forwarding: Forwarding): void {
    if (this.#one === undefined) this.#one = forwarding;
    else (this.#others ??= new Set()).add(forwarding);
  }

  delete(forwarding: Forwarding): void {
    if (this.#one === forwarding) this.#one = undefined;
    else this.#others?.delete(forwarding);
  }

  /** Ends all of them. */
  stop(reason: string): void {
    this.#one?.stop(reason);
    for (const forwarding of this.#others ?? []) forwarding.stop(reason);
  }
}
