import { bad, bold, dim, good } from "../output/colours.ts";

/** A claim of the demo that did not hold. */
export class BrokenPromise extends Error {}

/** Tells what happens, in steps. A terminal sees what is being waited for; a pipe gets whole lines only. */
export class Story {
  readonly #isTerminal = process.stdout.isTTY;
  #step = 0;

  headline(text: string): void {
    process.stdout.write(`\n${bold(text)}\n`);
  }

  step(title: string): void {
    process.stdout.write(`\n${bold(`${++this.#step}  ${title}`)}\n`);
  }

  say(text: string): void {
    process.stdout.write(`   ${text}\n`);
  }

  /** Something seen, with what it was seen on. */
  show(label: string, value: string): void {
    this.say(`${label.padEnd(40)}${value}`);
  }

  /** Says that something was shown to be so. @throws BrokenPromise if it is not */
  promise(holds: boolean, text: string): void {
    this.say(holds ? `${good("✓")} ${text}` : `${bad("✗")} ${text}`);
    if (!holds) throw new BrokenPromise(text);
  }

  /** Waits for something, and says on a terminal what it is. */
  async wait<Value>(what: string, promise: Promise<Value>): Promise<Value> {
    if (!this.#isTerminal) return promise;
    process.stdout.write(`   ${dim(`${what} ...`)}`);
    try {
      return await promise;
    } finally {
      process.stdout.write("\r\x1b[K");
    }
  }
}
