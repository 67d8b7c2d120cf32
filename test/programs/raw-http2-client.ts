import { connect, type Socket } from "node:net";
import { PREFACE } from "#wire/http2/preface.ts";
import { describeFrame, type SentFrame } from "#wire/http2/testing/raw-frames.ts";
import { FrameSplitter } from "./http2-case-rows.ts";

const PATIENCE_MS = 60_000;

/** Says whatever frames it is told to say, and keeps those that it hears. */
export class RawHttp2Client {
  readonly heard: SentFrame[] = [];
  readonly socket: Socket;
  #hasEnded = false;
  #wake = (): void => undefined;

  constructor(host: string, port: number) {
    this.socket = connect({ host, port });
    const splitter = new FrameSplitter();
    this.socket.on("data", (bytes) => {
      this.heard.push(...splitter.add(bytes as Buffer));
      this.#wake();
    });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.#hasEnded = true;
      this.#wake();
    });
    this.socket.write(PREFACE);
  }

  say(...frames: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** Waits for a frame, for the end of the connection if there is none, or for too long. */
  async until(isIt: (frame: SentFrame) => boolean): Promise<string> {
    const timer = setTimeout(() => this.socket.destroy(), PATIENCE_MS);
    try {
      for (;;) {
        const frame = this.heard.find(isIt);
        if (frame) return describeFrame(frame);
        if (this.#hasEnded) return "nothing";
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
