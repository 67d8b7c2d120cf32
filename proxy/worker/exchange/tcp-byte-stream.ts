import type { Socket } from "node:net";
import { Output } from "#wire/output.ts";
import { setResetOnClose } from "../../kernel/reset-on-close.ts";
import { readBytes } from "../../transport/read-bytes.ts";
import type { ByteReader, ByteStream } from "../../tunnel/byte-stream.ts";

/** What may be read and not handed on, in bytes: one read of a busy socket. */
const MAX_UNCONSUMED_BYTES = 64 * 1024;

/**
 * A TCP connection as one end of an exchange. From now on the kernel resets it if this process dies: an orderly end would tell
 * the other side that everything had been said. When all has been handed over and the direction was ended, closing is in
 * order again.
 */
export const tcpByteStream = (socket: Socket): ByteStream => new TcpByteStream(socket);

class TcpByteStream implements ByteStream {
  readonly #socket: Socket;
  #unconsumed = 0;
  /**
   * What waits behind a write that is under way, until {@link #release}. Small pieces are joined: the socket would keep an
   * object for each, so that a caller who sends byte by byte could have us hold hundreds of bytes for one.
   */
  #waiting: Output | undefined;
  /** Whether who writes was told to wait, and not yet to go on. */
  #isFull = false;
  #reader: ByteReader | undefined;
  #isReset = false;
  #problem: string | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    setResetOnClose(socket, true);
    socket.once("finish", () => setResetOnClose(socket, false));
    socket.on("error", (error: NodeJS.ErrnoException) => (this.#problem ??= error.code ?? error.message));
  }

  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  read(reader: ByteReader): void {
    const socket = this.#socket;
    this.#reader = reader;
    readBytes(socket, (bytes) => {
      this.#unconsumed += bytes.length;
      reader.data(bytes);
      if (this.#unconsumed >= MAX_UNCONSUMED_BYTES) socket.pause();
    });
    socket.once("end", () => reader.end());
    // After the end there is no `drain`, and what was written before it has to be told all the same.
    for (const left of ["drain", "finish"]) socket.on(left, this.#release);
    socket.once("close", () => {
      if (!this.#isReset) reader.closed(this.#howItEnded());
    });
    socket.resume();
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    let isWelcome: boolean;
    if (this.#waiting) {
      this.#waiting.append(bytes);
      isWelcome = socket.writableLength + this.#waiting.length < socket.writableHighWaterMark;
    } else if (socket.writableLength === 0) {
      isWelcome = socket.write(bytes);
    } else {
      this.#waiting = new Output();
      isWelcome = socket.write(bytes, this.#release);
    }
    this.#isFull ||= !isWelcome;
    return isWelcome;
  }

  consumed(bytes: number): void {
    this.#unconsumed -= bytes;
    if (this.#unconsumed < MAX_UNCONSUMED_BYTES && this.#socket.isPaused()) this.#socket.resume();
  }

  end(): void {
    this.#handOver();
    this.#socket.end();
  }

  reset(): void {
    this.#isReset = true;
    this.#waiting = undefined;
    setResetOnClose(this.#socket, true);
    this.#socket.destroy();
  }

  /** What was under way has left: what waited follows it, and if that is not too much, more is welcome. */
  readonly #release = (): void => {
    if (this.#socket.destroyed) return;
    this.#handOver();
    if (!this.#isFull || this.#socket.writableNeedDrain) return;
    this.#isFull = false;
    this.#reader?.writable();
  };

  #handOver(): void {
    const parts = this.#waiting?.take() ?? [];
    this.#waiting = undefined;
    if (parts.length === 0) return;
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  #howItEnded(): string | undefined {
    if (this.#problem !== undefined) return this.#problem;
    const { readableEnded, writableFinished } = this.#socket;
    return readableEnded && writableFinished ? undefined : "closed without an end";
  }
}
