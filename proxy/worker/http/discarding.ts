import type { HttpAnswer, HttpReader } from "../../http/message.ts";

/** Reads the rest of a request that was answered already, and keeps nothing of it. */
export class Discarding implements HttpReader {
  readonly #answer: HttpAnswer;

  constructor(answer: HttpAnswer) {
    this.#answer = answer;
  }

  data(bytes: Uint8Array): void {
    this.#answer.consumed(bytes.length);
  }

  end(): void {
    // Nobody waits for it.
  }

  writable(): void {
    // Nothing waits to be sent.
  }

  reset(): void {
    // It was told.
  }
}
