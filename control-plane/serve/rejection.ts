/** How much of a refusal is kept, and searched for names. */
const MAX_REASON_LENGTH = 4096;

/** What a client refused of a type, until it accepts something else in its place. */
export class Rejection {
  #reason: string | undefined;
  /** The resources that may be the bad ones. */
  #suspects = new Set<string>();
  /** Whether the client said which they are. */
  #isNamed = false;

  /** Why, in the client's words; undefined while nothing is refused. */
  get reason(): string | undefined {
    return this.#reason;
  }

  has(name: string): boolean {
    return this.#suspects.has(name);
  }

  /** A response with these resources was refused. Clients put the names of the bad ones into their reason. */
  add(names: ReadonlySet<string>, reason: string): void {
    this.#reason = reason.slice(0, MAX_REASON_LENGTH) || "no reason given";
    const reasonText = this.#reason;
    const named = [...names].filter((name) => mentions(reasonText, name));
    this.#isNamed = named.length > 0;
    for (const name of this.#isNamed ? named : names) this.#suspects.add(name);
  }

  /** A response with these resources was accepted. */
  settle(names: ReadonlySet<string>): void {
    const cured = [...names].filter((name) => this.#suspects.delete(name));
    // Nobody said which of many was bad: that one of them is good now is the best sign there will be.
    if (!this.#isNamed && cured.length > 0) this.#suspects.clear();
    if (this.#suspects.size === 0) this.#reason = undefined;
  }
}

/** Whether a name stands in a text as a word of its own, as in `name: reason; name: reason`, what an Istio node proxy sends. */
const mentions = (text: string, name: string): boolean => {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const before = text[at - 1] ?? " ";
    const after = text[at + name.length] ?? " ";
    if (/[\s;,"'`(]/.test(before) && /[\s;,"'`):]/.test(after)) return true;
  }
  return false;
};
