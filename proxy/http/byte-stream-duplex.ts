import { Duplex } from "node:stream";
import type { ByteStream } from "../tunnel/byte-stream.ts";

/** What waits in either direction, in bytes, before the other end is held back. */
const BUFFERED_BYTES = 64 * 1024;

type Done = (error?: Error | null) => void;

/** A tunnel as what HTTP connections are carried over. To destroy it ends it in order; {@link abort} breaks it off. */
export class ByteStreamDuplex extends Duplex {
  readonly #stream: ByteStream;
  /** Came and was not handed on. */
  #owed = 0;
  #onWritable: Done | undefined;
  #isOver = false;

  constructor(stream: ByteStream) {
    super({
      allowHalfOpen: true,
      readableHighWaterMark: BUFFERED_BYTES,
      writableHighWaterMark: BUFFERED_BYTES,
    });
    this.#stream = stream;
    // Nobody is asked for more of it then, and the tunnel's connection still waits for what is owed.
    this.once("end", () => this.#pay());
    stream.read({
      data: (bytes) => this.#onData(bytes),
      end: () => void this.push(null),
      writable: () => this.#release(),
      closed: (problem) => this.#onClosed(problem),
    });
  }

  /** Breaks it off so that the other end cannot take it for an end. */
  abort(): void {
    this.#letGo(() => this.#stream.reset());
    this.destroy();
  }

  override _read(): void {
    this.#pay();
  }

  #pay(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.#stream.consumed(owed);
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#isOver || this.#stream.write(bytes)) done();
    else this.#onWritable = done;
  }

  override _writev(pieces: readonly { readonly chunk: Buffer }[], done: Done): void {
    let isWelcome = true;
    for (const { chunk } of pieces) isWelcome = this.#isOver || this.#stream.write(chunk);
    if (isWelcome) done();
    else this.#onWritable = done;
  }

  override _final(done: Done): void {
    this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#pay();
    const isEnded = this.readableEnded && this.writableFinished;
    this.#letGo(() => {
      if (isEnded) return;
      this.#stream.end();
      this.#stream.close();
    });
    done(error);
  }

  #onData(bytes: Uint8Array): void {
    this.#owed += bytes.length;
    // What is pushed is kept, and these bytes are lent.
    if (this.push(Buffer.from(bytes))) this.#pay();
  }

  #release(): void {
    const done = this.#onWritable;
    this.#onWritable = undefined;
    done?.();
  }

  #onClosed(problem: string | undefined): void {
    this.#isOver = true;
    if (problem !== undefined) this.destroy(new Error(problem));
    else if (!this.readableEnded) this.push(null);
    this.#release();
  }

  #letGo(how: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    how();
  }
}

/** A socket or TLS as it is, a tunnel as a duplex. */
export const asDuplex = (carrier: Duplex | ByteStream): Duplex =>
  carrier instanceof Duplex ? carrier : new ByteStreamDuplex(carrier);
