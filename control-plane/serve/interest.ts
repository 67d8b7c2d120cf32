import type { ResourceView } from "../publish/resource-view.ts";

/** Stands for every resource of a type. */
export const WILDCARD = "*";

/** What a client subscribed to, of one type. */
export class Interest {
  #isWildcard = false;
  readonly #names = new Set<string>();

  get isWildcard(): boolean {
    return this.#isWildcard;
  }

  /** How many names are subscribed one by one. */
  get size(): number {
    return this.#names.size;
  }

  add(name: string): void {
    if (name === WILDCARD) this.#isWildcard = true;
    else this.#names.add(name);
  }

  delete(name: string): void {
    if (name === WILDCARD) this.#isWildcard = false;
    else this.#names.delete(name);
  }

  /** The resources that are wanted: those of the names and aliases, and what is needed to use them. Undefined: all. */
  wanted(view: ResourceView): ReadonlySet<string> | undefined {
    if (this.#isWildcard) return undefined;
    const wanted = new Set<string>();
    for (const name of this.#names) {
      for (const found of view.find(name)) {
        wanted.add(found);
        for (const other of view.behind(found)) wanted.add(other);
      }
    }
    return wanted;
  }
}
