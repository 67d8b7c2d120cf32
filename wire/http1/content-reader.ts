import type { Field } from "../field.ts";
import { ChunkedReader } from "./chunked-reader.ts";
import type { UnderscoreRule } from "./field-lines.ts";
import type { Framing } from "./framing.ts";
import { NO_CONTENT } from "./framing.ts";
import { Http1Error } from "./http1-error.ts";
import type { Http1Limits } from "./http1-limits.ts";

/** Takes the content of a message out of chunks, by whatever framing. Data are views on the chunks. */
export class ContentReader {
  readonly #limits: Http1Limits;
  readonly #underscores: UnderscoreRule;
  /** Not made before the first message that is chunked: many connections have none, and shall be small. */
  #made: ChunkedReader | undefined;
  /** Of the message that is read, if it is chunked. */
  #chunked: ChunkedReader | undefined;
  #framing: Framing = NO_CONTENT;
  /** Of Content-Length. */
  #left = 0;

  constructor(limits: Http1Limits, underscores: UnderscoreRule) {
    this.#limits = limits;
    this.#underscores = underscores;
  }

  /** Whether all of it was read. What lasts until the connection closes never is. */
  get isDone(): boolean {
    const { kind } = this.#framing;
    if (kind === "length") return this.#left === 0;
    if (this.#chunked) return this.#chunked.isDone;
    return kind !== "until-close";
  }

  get trailers(): readonly Field[] {
    return this.#chunked?.trailers ?? NO_TRAILERS;
  }

  begin(framing: Framing): void {
    this.#framing = framing;
    if (framing.kind === "length") this.#left = framing.bytes;
    this.#chunked = framing.kind === "chunked" ? (this.#made ??= this.#makeChunked()) : undefined;
    this.#chunked?.begin();
  }

  /** @returns the index after the last byte it took. */
  read(bytes: Uint8Array, from: number, onData: (data: Uint8Array) => void): number {
    const { kind } = this.#framing;
    if (kind === "none" || kind === "tunnel") return from;
    if (this.#chunked) return this.#chunked.read(bytes, from, onData);
    const end = kind === "length" ? Math.min(bytes.length, from + this.#left) : bytes.length;
    if (kind === "length") this.#left -= end - from;
    if (end > from) onData(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end));
    return end;
  }

  /** The connection has ended. An end inside of content with a known length is an abort, and must not look like an end. */
  readEnd(): void {
    const { kind } = this.#framing;
    if (this.isDone || kind === "until-close") return;
    const missing = kind === "length" ? `${this.#left} bytes of Content-Length` : "the last chunk";
    throw new Http1Error("truncated", `the connection ended before ${missing} (RFC 9112 section 8)`);
  }

  #makeChunked(): ChunkedReader {
    return new ChunkedReader(this.#limits, this.#underscores);
  }
}

const NO_TRAILERS: readonly Field[] = [];
