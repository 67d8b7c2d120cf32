import type { UnixClient } from "#local/socket/unix-client.ts";
import { CliFailure } from "../failure.ts";

/** The header of a pcap file, and of each frame in it. */
const FILE_HEADER_BYTES = 24;
const FRAME_HEADER_BYTES = 16;
/** A TLS record of type application data (RFC 8446 section 5.1), as every record looks after the handshake. */
const TLS_APPLICATION_DATA = Buffer.from([0x17, 0x03, 0x03]);

/** Everything that passes the link of a node, for as long as it is open. */
export class WireTap {
  readonly #chunks: Buffer[] = [];
  readonly #iterator: AsyncIterator<Buffer>;
  #reading: Promise<void> | undefined;

  private constructor(iterator: AsyncIterator<Buffer>) {
    this.#iterator = iterator;
  }

  /** @throws CliFailure if the link cannot be listened to */
  static async open(client: UnixClient, node: string): Promise<WireTap> {
    const stream = await client.stream(`/capture?node=${node}`);
    if (!stream.ok) throw new CliFailure(`the link of ${node} cannot be listened to: ${stream.error}`);
    const tap = new WireTap(stream.value[Symbol.asyncIterator]());
    // The file's header says that it listens.
    const first = await tap.#iterator.next();
    if (first.done !== true) tap.#chunks.push(first.value);
    tap.#reading = tap.#read();
    return tap;
  }

  /** Stops listening. @returns the frames, one after another */
  async close(): Promise<Capture> {
    // What was sent last is still on its way from the kernel.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await this.#iterator.return?.();
    await this.#reading;
    return new Capture(framesOf(Buffer.concat(this.#chunks)));
  }

  async #read(): Promise<void> {
    try {
      for (let next = await this.#iterator.next(); next.done !== true; next = await this.#iterator.next()) {
        this.#chunks.push(next.value);
      }
    } catch {
      // Closing it ends the read with an error.
    }
  }
}

/** Frames as they were on the wire. */
export class Capture {
  readonly frames: readonly Buffer[];

  constructor(frames: readonly Buffer[]) {
    this.frames = frames;
  }

  get bytes(): number {
    return this.frames.reduce((sum, { length }) => sum + length, 0);
  }

  /** Whether the text stands in any frame, readable. */
  shows(text: string): boolean {
    return this.frames.some((frame) => frame.includes(text));
  }

  /** How many frames carry encrypted records. */
  get encryptedFrames(): number {
    return this.frames.filter((frame) => frame.includes(TLS_APPLICATION_DATA)).length;
  }
}

const framesOf = (pcap: Buffer): readonly Buffer[] => {
  const frames: Buffer[] = [];
  for (let at = FILE_HEADER_BYTES; at + FRAME_HEADER_BYTES <= pcap.length;) {
    const length = pcap.readUInt32LE(at + 8);
    frames.push(pcap.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + length));
    at += FRAME_HEADER_BYTES + length;
  }
  return frames;
};
