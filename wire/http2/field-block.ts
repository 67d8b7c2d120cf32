import { ERROR_CODE } from "./error-code.ts";
import { FLAG, type FrameHeader } from "./frame-header.ts";
import { Http2ConnectionError } from "./http2-error.ts";

export interface FieldBlockLimits {
  /** Bytes of one block, compressed. */
  readonly maxBlockBytes: number;
  /** CONTINUATION frames after one HEADERS frame: an honest peer needs them only for blocks longer than its frames. */
  readonly maxContinuations: number;
}

/** A field block that is complete. */
export interface FieldBlock {
  readonly streamId: number;
  readonly endStream: boolean;
  readonly bytes: Uint8Array;
}

/** Joins the fragments of HEADERS and CONTINUATION frames; nothing else may come between them (RFC 9113 section 4.3). */
export class FieldBlockReader {
  readonly #limits: FieldBlockLimits;
  #open: { streamId: number; endStream: boolean; fragments: Uint8Array[]; bytes: number } | undefined;

  constructor(limits: FieldBlockLimits) {
    this.#limits = limits;
  }

  /** Whether a block has begun and not ended: only CONTINUATION of that stream may follow. */
  get openStreamId(): number | undefined {
    return this.#open?.streamId;
  }

  /** @returns the block where the frame ends it */
  begin({ streamId, flags }: FrameHeader, fragment: Uint8Array): FieldBlock | undefined {
    const endStream = (flags & FLAG.endStream) !== 0;
    this.#checkLength(fragment.length);
    if (flags & FLAG.endHeaders) return { streamId, endStream, bytes: fragment };
    // A copy: the view would keep everything that was read with it for as long as the peer likes. (`slice` of a Buffer is a view.)
    this.#open = { streamId, endStream, fragments: [new Uint8Array(fragment)], bytes: fragment.length };
    return undefined;
  }

  /** @throws Http2ConnectionError */
  continue({ streamId, flags }: FrameHeader, fragment: Uint8Array): FieldBlock | undefined {
    const open = this.#open;
    if (open?.streamId !== streamId) {
      throw new Http2ConnectionError(ERROR_CODE.protocolError, "CONTINUATION without HEADERS before it");
    }
    open.bytes += fragment.length;
    this.#checkLength(open.bytes);
    if (open.fragments.length > this.#limits.maxContinuations) {
      throw new Http2ConnectionError(ERROR_CODE.enhanceYourCalm, "too many CONTINUATION frames");
    }
    open.fragments.push(new Uint8Array(fragment));
    if ((flags & FLAG.endHeaders) === 0) return undefined;
    this.#open = undefined;
    return { streamId, endStream: open.endStream, bytes: joined(open.fragments, open.bytes) };
  }

  /** A block that is not decoded leaves the compression out of step, so that the connection cannot go on. */
  #checkLength(bytes: number): void {
    if (bytes <= this.#limits.maxBlockBytes) return;
    const message = `field block of more than ${this.#limits.maxBlockBytes} bytes`;
    throw new Http2ConnectionError(ERROR_CODE.enhanceYourCalm, message);
  }
}

const joined = (fragments: readonly Uint8Array[], length: number): Uint8Array => {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const fragment of fragments) {
    whole.set(fragment, at);
    at += fragment.length;
  }
  return whole;
};
