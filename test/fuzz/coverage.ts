import { type Profiler, Session } from "node:inspector";

/** Tells whether code has run that never ran before, from V8's own counts (block coverage). */
export class Coverage {
  readonly #session = new Session();
  readonly #script: string;
  /** For each script, which of its characters have run. */
  readonly #seen = new Map<string, Uint8Array>();

  /** @param script part of the URLs of the scripts that count */
  constructor(script: string) {
    this.#script = script;
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Whether something ran since the last look that never ran before; it counts as new until it is {@link takeNew taken}. */
  hasNew(): boolean {
    return this.#look(false);
  }

  /** Whether something ran since the last look that never ran before. From now on it is known. */
  takeNew(): boolean {
    return this.#look(true);
  }

  #look(remembers: boolean): boolean {
    let hasNew = false;
    this.#session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error !== null) throw error;
      for (const script of answer.result)
        if (script.url.includes(this.#script) && this.#add(script, remembers)) hasNew = true;
    });
    return hasNew;
  }

  stop(): void {
    this.#session.post("Profiler.stopPreciseCoverage");
    this.#session.disconnect();
  }

  #add({ url, functions }: Profiler.ScriptCoverage, remembers: boolean): boolean {
    const end = Math.max(0, ...functions.flatMap(({ ranges }) => ranges.map(({ endOffset }) => endOffset)));
    // Ranges stand outer ones first, and inner ones have the last word.
    const ran = new Uint8Array(end);
    for (const { ranges } of functions)
      for (const { startOffset, endOffset, count } of ranges) ran.fill(count > 0 ? 1 : 0, startOffset, endOffset);
    const seen = this.#seenOf(url, end);
    let hasNew = false;
    for (let at = 0; at < end; at += 1) {
      if (ran[at] === 0 || seen[at] !== 0) continue;
      hasNew = true;
      if (remembers) seen[at] = 1;
    }
    return hasNew;
  }

  #seenOf(url: string, length: number): Uint8Array {
    const seen = this.#seen.get(url);
    if (seen !== undefined && seen.length >= length) return seen;
    const larger = new Uint8Array(length);
    larger.set(seen ?? []);
    this.#seen.set(url, larger);
    return larger;
  }
}
