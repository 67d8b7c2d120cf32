import type { Socket } from "node:net";
import { Output } from "#wire/output.ts";
import { setResetOnClose } from "../../kernel/reset-on-close.ts";
import { readLent } from "../../transport/read-bytes.ts";
import type { ByteReader, ByteStream } from "../../tunnel/byte-stream.ts";

/** From this length on pieces are gathered for a turn of the event loop: TLS gives 16 KiB at a time, and to write costs more. */
const BULK_BYTES = 8 * 1024;
/** So much is not gathered any longer. */
const GATHERED_BYTES = 64 * 1024;

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
   * What waits for the end of the turn, or behind a write that is under way. Small pieces are joined: the socket would keep an
   * object for each, so that a caller who sends byte by byte could have us hold hundreds of bytes for one.
   */
  #waiting: Output | undefined;
  /** Writes that {@link #written} follows. */
  #writes = 0;
  #isFlushDue = false;
  /** Whether the last that was gathered was worth it. */
  #isBulk = false;
  /** Whether who writes was told to wait, and not yet to go on. */
  #isFull = false;
  #reader: ByteReader | undefined;
  #isReset = false;
  #isClosedInOrder = false;
  #problem: string | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    setResetOnClose(socket, true);
    socket.on("finish", () => setResetOnClose(socket, false));
    socket.on("error", (error: NodeJS.ErrnoException) => (this.#problem ??= error.code ?? error.message));
  }

  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  read(reader: ByteReader): void {
    const socket = this.#socket;
    this.#reader = reader;
    readLent(socket, (bytes) => {
      this.#unconsumed += bytes.length;
      reader.data(bytes);
      // Whoever does not hand it on at once was told to wait: there is nothing to be read for it meanwhile.
      if (this.#unconsumed > 0) socket.pause();
    });
    socket.on("end", () => reader.end());
    // After the end there is no `drain`, and what was written before it has to be told all the same.
    for (const left of ["drain", "finish"]) socket.on(left, this.#goOn);
    socket.on("close", () => {
      if (!this.#isReset) reader.closed(this.#howItEnded());
    });
    socket.resume();
    // Whoever looked at what came first had the socket read: its end may have come before anybody listened for it.
    if (socket.readableEnded) reader.end();
  }

  write(bytes: Uint8Array): boolean {
    const isWelcome = this.#mustWait(bytes) ? this.#gather(bytes) : this.#writeNow(bytes);
    this.#isFull ||= !isWelcome;
    return isWelcome;
  }

  consumed(bytes: number): void {
    this.#unconsumed -= bytes;
    if (this.#unconsumed === 0 && this.#socket.isPaused()) this.#socket.resume();
  }

  end(): void {
    for (const part of this.#waiting?.take() ?? []) this.#socket.write(part);
    if (this.#isLast) this.#closeInOrder();
    else this.#socket.end();
  }

  reset(): void {
    this.#isReset = true;
    this.#waiting = undefined;
    setResetOnClose(this.#socket, true);
    this.#socket.destroy();
  }

  /** Whether that is an end or a reset is decided already: see {@link tcpByteStream}. */
  close(): void {
    this.#isReset = true;
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  /** Whether our end is the last that there is to do: the other one has been read, and the kernel has all that was written. */
  get #isLast(): boolean {
    const { readableEnded, writableLength, destroyed } = this.#socket;
    return this.#reader !== undefined && readableEnded && writableLength === 0 && !this.#isFull && !destroyed;
  }

  /** Closing tells the end as well; to shut our direction down before costs another turn, and as much as closing does. */
  #closeInOrder(): void {
    this.#isClosedInOrder = true;
    setResetOnClose(this.#socket, false);
    this.#socket.destroy();
  }

  /** Whether the kernel has not taken all that was written, and we are told when it has. */
  get #isUnderWay(): boolean {
    return this.#writes > 0 && this.#socket.writableLength > 0;
  }

  #mustWait({ length }: Uint8Array): boolean {
    return this.#isFlushDue || this.#isBulk || length >= BULK_BYTES || this.#isUnderWay;
  }

  #writeNow(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    const own = Buffer.from(bytes);
    if (socket.writableLength === 0) return socket.write(own);
    this.#writes++;
    return socket.write(own, this.#written);
  }

  #gather(bytes: Uint8Array): boolean {
    const waiting = (this.#waiting ??= new Output());
    waiting.append(bytes);
    if (waiting.length >= GATHERED_BYTES) this.#handOver();
    else if (!this.#isFlushDue && !this.#isUnderWay) {
      this.#isFlushDue = true;
      setImmediate(this.#flush);
    }
    const { writableLength, writableHighWaterMark } = this.#socket;
    return writableLength + waiting.length < writableHighWaterMark;
  }

  readonly #flush = (): void => {
    this.#isFlushDue = false;
    this.#handOver();
  };

  /** What was under way has left: what waited follows it. */
  readonly #written = (): void => {
    this.#writes--;
    this.#handOver();
    this.#goOn();
  };

  /** If what is on its way is not too much, more is welcome. */
  readonly #goOn = (): void => {
    if (!this.#isFull || this.#socket.destroyed || this.#socket.writableNeedDrain) return;
    this.#isFull = false;
    this.#reader?.writable();
  };

  #handOver(): void {
    const [socket, waiting] = [this.#socket, this.#waiting];
    if (!waiting || waiting.length === 0 || socket.destroyed || this.#isUnderWay) return;
    this.#isBulk = waiting.length >= BULK_BYTES;
    this.#writes++;
    const parts = waiting.take();
    socket.cork();
    for (const part of parts.slice(0, -1)) socket.write(part);
    socket.write(parts.at(-1) ?? EMPTY, (error) => {
      if (!error) waiting.written();
      this.#written();
    });
    socket.uncork();
  }

  #howItEnded(): string | undefined {
    if (this.#problem !== undefined) return this.#problem;
    const { readableEnded, writableFinished } = this.#socket;
    return readableEnded && (writableFinished || this.#isClosedInOrder) ? undefined : "closed without an end";
  }
}

const EMPTY = new Uint8Array(0);
