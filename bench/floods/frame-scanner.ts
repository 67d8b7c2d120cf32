import { FRAME_HEADER_BYTES, type FrameHeader, readFrameHeader } from "#wire/http2/frame-header.ts";

/** Cuts what a server sends into frames, and trusts it. */
export class FrameScanner {
  readonly #onFrame: (header: FrameHeader, payload: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onFrame: (header: FrameHeader, payload: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const header = readFrameHeader(bytes, at);
      const end = at + FRAME_HEADER_BYTES + header.length;
      if (bytes.length < end) break;
      this.#onFrame(header, bytes.subarray(at + FRAME_HEADER_BYTES, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }
}
