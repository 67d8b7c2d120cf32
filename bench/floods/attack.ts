import { connect, type Socket } from "node:net";
import { errorCodeName } from "#wire/http2/error-code.ts";
import { FLAG, FRAME_TYPE, type FrameHeader } from "#wire/http2/frame-header.ts";
import { PREFACE } from "#wire/http2/preface.ts";
import { SETTING } from "#wire/http2/settings.ts";
import { settings, SETTINGS_ACK } from "#wire/http2/testing/raw-frames.ts";
import type { Flood } from "./floods.ts";
import { FrameScanner } from "./frame-scanner.ts";
import type { Target } from "./targets.ts";

/** Units that leave in one write. */
const BATCH_BYTES = 32 * 1024;
const INITIAL_WINDOW = 65_535;
/** How long an attacker that reads nothing goes on when nothing more is taken, before it looks why. */
const PATIENCE_MS = 250;

/** One connection of an attacker. */
export class Attack {
  readonly #flood: Flood;
  readonly #target: Target;
  readonly #socket: Socket;
  readonly #mostUnits: number;
  readonly #ended: (ending: string) => void;
  #window = INITIAL_WINDOW;
  #streamWindow = INITIAL_WINDOW;
  #units = 0;
  #ending: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isGreeted = false;

  /**
   * @param mostUnits after so many the connection is held
   * @param onEnded called once: the name of the code that GOAWAY had, or how the connection ended otherwise
   */
  constructor(flood: Flood, target: Target, port: number, mostUnits: number, onEnded: (ending: string) => void) {
    this.#flood = flood;
    this.#target = target;
    this.#mostUnits = mostUnits;
    this.#ended = onEnded;
    const scanner = new FrameScanner((header, payload) => this.#onFrame(header, payload));
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true }, () => {
      this.#socket.write(Buffer.concat([PREFACE, settings(...(flood.settings ?? []))]));
    });
    this.#socket.on("data", (chunk: Buffer) => scanner.read(chunk));
    this.#socket.on("drain", () => this.#send());
    this.#socket.on("error", ({ code }: NodeJS.ErrnoException) => (this.#ending ??= code ?? "an error"));
    this.#socket.on("close", () => this.#end("closed"));
  }

  get bytesSent(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** Whether everything that was to be sent has left. */
  get isHolding(): boolean {
    return this.#units >= this.#mostUnits && this.#socket.writableLength === 0;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onFrame({ type, flags, streamId }: FrameHeader, payload: Buffer): void {
    if (type === FRAME_TYPE.goaway) {
      this.#ending = errorCodeName(payload.readUInt32BE(4));
      this.#socket.destroy();
    } else if (type === FRAME_TYPE.windowUpdate) {
      if (streamId === 0) this.#window += payload.readUInt32BE(0);
      else this.#streamWindow += payload.readUInt32BE(0);
      this.#send();
    } else if (type === FRAME_TYPE.ping && !(flags & FLAG.ack)) {
      this.#socket.write(Buffer.concat([Buffer.from([0, 0, 8, FRAME_TYPE.ping, FLAG.ack, 0, 0, 0, 0]), payload]));
    } else if (type === FRAME_TYPE.settings && !(flags & FLAG.ack)) this.#greeted(payload);
  }

  #greeted(payload: Buffer): void {
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) === SETTING.initialWindowSize) this.#streamWindow = payload.readUInt32BE(at + 2);
    }
    this.#isGreeted = true;
    this.#socket.write(Buffer.concat([SETTINGS_ACK, ...(this.#flood.opening?.(this.#target) ?? [])]));
    if (!this.#flood.reads) this.#socket.pause();
    this.#send();
  }

  #send(): void {
    if (!this.#isGreeted || this.#socket.destroyed || this.#socket.writableNeedDrain) return;
    for (;;) {
      const batch = this.#batch();
      if (batch.length === 0) break;
      if (!this.#socket.write(batch)) break;
    }
    // Whoever does not read does not see why nothing is taken from it any more.
    if (this.#flood.reads || this.#flood.isBounded) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.resume(), PATIENCE_MS);
  }

  #batch(): Buffer {
    const { unit, flowBytes = 0 } = this.#flood;
    const parts: Uint8Array[] = [];
    for (let bytes = 0; bytes < BATCH_BYTES && this.#units < this.#mostUnits;) {
      if (flowBytes > Math.min(this.#window, this.#streamWindow)) break;
      this.#window -= flowBytes;
      this.#streamWindow -= flowBytes;
      const part = unit(this.#target, this.#units++);
      parts.push(part);
      bytes += part.length;
    }
    return Buffer.concat(parts);
  }

  #end(fallback: string): void {
    clearTimeout(this.#timer);
    this.#ended(this.#ending ?? fallback);
  }
}
