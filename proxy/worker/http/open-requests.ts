import type { Forwarding } from "./forwarding.ts";

/** The requests of a connection that are under way: in HTTP/1 one at a time, in HTTP/2 some, and never very many. */
export class OpenRequests {
  readonly #all: Forwarding[] = [];

  add(forwarding: Forwarding): void {
    this.#all.push(forwarding);
  }

  delete(forwarding: Forwarding): void {
    const at = this.#all.indexOf(forwarding);
    const last = at < 0 ? undefined : this.#all.pop();
    if (last !== undefined && last !== forwarding) this.#all[at] = last;
  }

  /** Ends all of them. */
  stop(reason: string): void {
    for (const forwarding of this.#all.slice()) forwarding.stop(reason);
  }
}
