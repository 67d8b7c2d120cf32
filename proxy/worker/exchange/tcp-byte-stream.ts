import type { Socket } from "node:net";
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
    readBytes(socket, (bytes) => {
      this.#unconsumed += bytes.length;
      reader.data(bytes);
      if (this.#unconsumed >= MAX_UNCONSUMED_BYTES) socket.pause();
    });
    socket.once("end", () => reader.end());
    socket.on("drain", () => reader.writable());
    socket.once("close", () => {
      if (!this.#isReset) reader.closed(this.#howItEnded());
    });
    socket.resume();
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  consumed(bytes: number): void {
    this.#unconsumed -= bytes;
    if (this.#unconsumed < MAX_UNCONSUMED_BYTES && this.#socket.isPaused()) this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#isReset = true;
    setResetOnClose(this.#socket, true);
    this.#socket.destroy();
  }

  #howItEnded(): string | undefined {
    if (this.#problem !== undefined) return this.#problem;
    const { readableEnded, writableFinished } = this.#socket;
    return readableEnded && writableFinished ? undefined : "closed without an end";
  }
}
