import type { Socket } from "node:net";
import { ByteQueue } from "#wire/byte-queue.ts";
import type { ByteReader, ByteStream } from "../../tunnel/byte-stream.ts";

/**
 * Told of what came first on a connection, with all that came so far, and once more when nothing follows it.
 * @returns whether that is enough
 */
export type OnFirstBytes = (bytes: Uint8Array, hasEnded: boolean) => boolean;

/**
 * Looks at what comes first on a socket that nobody reads yet. What was looked at comes again for whoever reads then, unless the
 * end came with it: see {@link EndedStream}.
 */
export class SocketPeek {
  readonly #socket: Socket;
  readonly #onBytes: OnFirstBytes;
  readonly #chunks: Buffer[] = [];
  #isOver = false;

  constructor(socket: Socket, onBytes: OnFirstBytes) {
    this.#socket = socket;
    this.#onBytes = onBytes;
    socket.on("readable", this.#onReadable);
    socket.once("end", this.#onEnd);
    socket.once("close", this.#onEnd);
  }

  /** Looks no more, and puts everything back. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const socket = this.#socket;
    socket.off("readable", this.#onReadable);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onEnd);
    socket.pause();
    if (this.#chunks.length > 0 && !socket.destroyed && !socket.readableEnded) {
      socket.unshift(this.#bytes);
    }
  }

  readonly #onReadable = (): void => {
    const chunk = this.#socket.read() as Buffer | null;
    if (chunk === null) return;
    this.#chunks.push(chunk);
    this.#tell(false);
  };

  readonly #onEnd = (): void => this.#tell(true);

  #tell(hasEnded: boolean): void {
    if (!this.#isOver && this.#onBytes(this.#bytes, hasEnded)) this.stop();
  }

  get #bytes(): Buffer {
    const [first] = this.#chunks;
    return first && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
  }
}

/** The same for any stream of bytes: it is one itself, for whoever reads it then. */
export class PeekedStream implements ByteStream {
  readonly #stream: ByteStream;
  #onBytes: OnFirstBytes | undefined;
  #reader: ByteReader | undefined;
  readonly #early = new ByteQueue();
  #seen: Uint8Array = new Uint8Array(0);
  #hasEnded = false;
  #over: { readonly problem: string | undefined } | undefined;

  constructor(stream: ByteStream, onBytes: OnFirstBytes) {
    this.#stream = stream;
    this.#onBytes = onBytes;
    stream.read({
      data: (bytes) => this.#onData(bytes),
      end: () => this.#onEnd(),
      writable: () => this.#reader?.writable(),
      closed: (problem) => this.#onClosed(problem),
    });
  }

  /** Looks no more. */
  stop(): void {
    this.#onBytes = undefined;
  }

  get isGone(): boolean {
    return this.#stream.isGone;
  }

  read(reader: ByteReader): void {
    this.stop();
    this.#reader = reader;
    for (let part = this.#early.take(Infinity); part.length > 0; part = this.#early.take(Infinity)) reader.data(part);
    if (this.#hasEnded) reader.end();
    if (this.#over) reader.closed(this.#over.problem);
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  consumed(bytes: number): void {
    this.#stream.consumed(bytes);
  }

  end(): void {
    this.#stream.end();
  }

  reset(): void {
    this.#stream.reset();
  }

  close(): void {
    this.#stream.close();
  }

  #onData(bytes: Uint8Array): void {
    if (this.#reader) return this.#reader.data(bytes);
    this.#early.add(bytes);
    if (!this.#onBytes) return;
    this.#seen = Buffer.concat([this.#seen, bytes]);
    this.#tell(false);
  }

  #onEnd(): void {
    this.#hasEnded = true;
    if (this.#reader) this.#reader.end();
    else this.#tell(true);
  }

  #onClosed(problem: string | undefined): void {
    this.#over = { problem };
    if (this.#reader) this.#reader.closed(problem);
    else this.#tell(true);
  }

  #tell(hasEnded: boolean): void {
    if (this.#onBytes?.(this.#seen, hasEnded) === true) this.stop();
  }
}

/** A stream whose first bytes were taken from it already, and its end with them. */
export class EndedStream implements ByteStream {
  readonly #stream: ByteStream;
  readonly #bytes: Uint8Array;

  constructor(stream: ByteStream, bytes: Uint8Array) {
    this.#stream = stream;
    this.#bytes = bytes;
  }

  get isGone(): boolean {
    return this.#stream.isGone;
  }

  read(reader: ByteReader): void {
    if (this.#bytes.length > 0) reader.data(this.#bytes);
    reader.end();
    // It may tell its end once more.
    this.#stream.read({
      data: (bytes) => reader.data(bytes),
      end: () => undefined,
      writable: () => reader.writable(),
      closed: (problem) => reader.closed(problem),
    });
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  /** They have left the stream before. */
  consumed(): void {
    // Nothing waits for it.
  }

  end(): void {
    this.#stream.end();
  }

  reset(): void {
    this.#stream.reset();
  }

  close(): void {
    this.#stream.close();
  }
}
