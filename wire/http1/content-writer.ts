import type { Field } from "../field.ts";
import { encodeLines } from "./encode-lines.ts";
import type { Framing } from "./framing.ts";
import { NO_CONTENT } from "./framing.ts";
import { Http1Error } from "./http1-error.ts";
import { checkTrailerName } from "./trailers.ts";

/**
 * Takes bytes in their order and does not change them. Some are views on a chunk that was read, good until the reader's call
 * returns or as long as nobody writes to that chunk. Many are small: it gathers them, so that a message does not become a
 * dozen writes.
 */
export type Sink = (bytes: Uint8Array) => void;

/** Frames the content of one message after the other. */
export class ContentWriter {
  readonly #sink: Sink;
  #framing: Framing = NO_CONTENT;
  /** Of Content-Length. */
  #left = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  begin(framing: Framing): void {
    this.#framing = framing;
    this.#left = framing.kind === "length" ? framing.bytes : 0;
  }

  /** @throws Http1Error when it is more than Content-Length said: nothing of it is written. */
  write(data: Uint8Array): void {
    if (data.length === 0) return;
    switch (this.#framing.kind) {
      case "none":
      case "tunnel":
        throw new Http1Error("length-mismatch", `${data.length} bytes for a message that cannot have content`);
      case "length":
        if (data.length > this.#left)
          throw new Http1Error("length-mismatch", `${data.length} bytes where Content-Length has ${this.#left} left`);
        this.#left -= data.length;
        this.#sink(data);
        break;
      case "chunked":
        this.#sink(Buffer.from(`${data.length.toString(16)}\r\n`, "latin1"));
        this.#sink(data);
        this.#sink(CRLF);
        break;
      case "until-close":
        this.#sink(data);
    }
  }

  /**
   * Trailers are sent where there is room for them, which is chunked framing alone; elsewhere they are left out, as RFC 9110
   * section 6.5.1 allows.
   * @throws Http1Error when less came than Content-Length said: the connection must be aborted.
   */
  end(trailers: readonly Field[]): void {
    if (this.#left > 0)
      throw new Http1Error("length-mismatch", `content ends where Content-Length has ${this.#left} bytes left`);
    if (this.#framing.kind !== "chunked") return;
    if (trailers.length === 0) {
      this.#sink(LAST_CHUNK);
      return;
    }
    for (const { name } of trailers) checkTrailerName(name);
    this.#sink(encodeLines("0\r\n", trailers));
  }
}

const CRLF: Uint8Array = Buffer.from("\r\n");
const LAST_CHUNK: Uint8Array = Buffer.from("0\r\n\r\n");
