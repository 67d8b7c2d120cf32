import type { ByteReader, ByteStream } from "../tunnel/byte-stream.ts";

/** For tests: a stream that does what a test says, and remembers what was done to it. */
export class FakeByteStream implements ByteStream {
  isGone = false;
  reader: ByteReader | undefined;
  written = "";
  consumedBytes = 0;
  hasEnded = false;
  resets = 0;
  closes = 0;
  /** What {@link write} answers. */
  isWelcome = true;

  read(reader: ByteReader): void {
    this.reader = reader;
  }

  write(bytes: Uint8Array): boolean {
    this.written += Buffer.from(bytes).toString("latin1");
    return this.isWelcome;
  }

  consumed(bytes: number): void {
    this.consumedBytes += bytes;
  }

  end(): void {
    this.hasEnded = true;
  }

  reset(): void {
    this.resets++;
  }

  close(): void {
    this.closes++;
  }

  /** Something comes from its other end. The bytes are lent: afterwards they are others. */
  receive(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    this.reader?.data(bytes);
    bytes.fill("*");
  }
}
