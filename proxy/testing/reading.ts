import { expect, vi } from "vitest";
import type { ByteReader, ByteStream } from "../tunnel/byte-stream.ts";

/** For tests: somebody who reads a stream, and what was seen of it. */
export class Reading implements ByteReader {
  readonly #stream: ByteStream;
  readonly #consumes: boolean;
  text = "";
  bytes = 0;
  hasEnded = false;
  timesWritable = 0;
  /** How often it was over, and with which problem the last time. */
  timesClosed = 0;
  problem: string | undefined;

  /** @param consumes whether what comes is handed on at once */
  constructor(stream: ByteStream, consumes = true) {
    this.#stream = stream;
    this.#consumes = consumes;
    stream.read(this);
  }

  data(bytes: Uint8Array): void {
    this.text += Buffer.from(bytes).toString("latin1");
    this.bytes += bytes.length;
    if (this.#consumes) this.#stream.consumed(bytes.length);
  }

  end(): void {
    this.hasEnded = true;
  }

  writable(): void {
    this.timesWritable++;
  }

  closed(problem: string | undefined): void {
    this.timesClosed++;
    this.problem = problem;
  }

  /** Everything that comes, when it has ended. */
  async untilEnd(): Promise<string> {
    await vi.waitFor(() => expect(this.hasEnded).toBe(true));
    return this.text;
  }

  /** With which problem it was over; undefined where there was none. */
  async untilClosed(): Promise<string | undefined> {
    await vi.waitFor(() => expect(this.timesClosed).toBe(1));
    return this.problem;
  }
}
