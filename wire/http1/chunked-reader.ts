import type { Field } from "../field.ts";
import { CLASS, CR, IN_LINE, LF, SEMICOLON } from "./characters.ts";
import { Http1Error } from "./http1-error.ts";
import type { Http1Limits } from "./http1-limits.ts";
import type { UnderscoreRule } from "./field-lines.ts";
import { SectionReader } from "./section-reader.ts";
import { readTrailers } from "./trailers.ts";

/**
 *     chunked-body = *chunk last-chunk trailer-section CRLF             RFC 9112 section 7.1
 *     chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
 *     last-chunk   = 1*"0" [ chunk-ext ] CRLF
 *     chunk-size   = 1*HEXDIG
 *     chunk-ext    = *( ";" token [ "=" ( token / quoted-string ) ] )
 *
 * Each state names what comes next. No white space in an extension but in quotes: RFC 9112 has it for the past only, and it is
 * where parsers differ.
 */
type State = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailers" | "done";

/** 64 bits; more digits are somebody's try at an overflow. */
const MAX_DIGITS = 16;

/** Reads the content of one chunked message after the other; extensions are counted and left out. */
export class ChunkedReader {
  readonly #limits: Http1Limits;
  readonly #underscores: UnderscoreRule;
  readonly #trailerSection: SectionReader;
  #state: State = "size";
  #digits = 0;
  /** The size read so far, then the data bytes that are left. */
  #bytes = 0;
  /** Of the size line that is being read. */
  #extension = "";
  #extensionBytes = 0;
  #trailers: readonly Field[] = [];

  constructor(limits: Http1Limits, underscores: UnderscoreRule) {
    this.#limits = limits;
    this.#underscores = underscores;
    this.#trailerSection = new SectionReader({
      what: "trailers",
      sectionBytes: limits.trailerBytes,
      startLineBytes: 0,
      fields: limits.fields,
    });
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Of the message that is done. */
  get trailers(): readonly Field[] {
    return this.#trailers;
  }

  begin(): void {
    this.#state = "size";
    this.#digits = 0;
    this.#bytes = 0;
    this.#extensionBytes = 0;
  }

  /** @returns the index after the last byte it took: after the message, if that is done. */
  read(bytes: Uint8Array, from: number, onData: (data: Uint8Array) => void): number {
    let at = from;
    while (at < bytes.length && this.#state !== "done") {
      const byte = bytes[at] as number;
      switch (this.#state) {
        case "size":
          this.#readSize(byte);
          at += 1;
          break;
        case "extension":
          at = this.#readExtension(bytes, at);
          break;
        case "size-lf":
          if (byte !== LF) throw badChunk("the size line does not end with CRLF");
          this.#digits = 0;
          this.#state = this.#bytes === 0 ? "trailers" : "data";
          at += 1;
          break;
        case "data": {
          const end = Math.min(bytes.length, at + this.#bytes);
          this.#bytes -= end - at;
          if (this.#bytes === 0) this.#state = "data-cr";
          onData(bytes.subarray(at, end));
          at = end;
          break;
        }
        case "data-cr":
          if (byte !== CR) throw badChunk("the data is longer than its size");
          this.#state = "data-lf";
          at += 1;
          break;
        case "data-lf":
          if (byte !== LF) throw badChunk("the data does not end with CRLF");
          this.#state = "size";
          at += 1;
          break;
        case "trailers": {
          const end = this.#trailerSection.read(bytes, at);
          if (end < 0) return bytes.length;
          this.#trailers = readTrailers(this.#trailerSection.take(bytes, at, end), this.#underscores);
          this.#state = "done";
          at = end;
          break;
        }
      }
    }
    return at;
  }

  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#digits += 1;
      this.#bytes = this.#bytes * 16 + digit;
      if (this.#digits > MAX_DIGITS || !Number.isSafeInteger(this.#bytes)) throw badChunk("the size is too large");
    } else if (this.#digits === 0) throw badChunk("the size is not a hexadecimal number");
    else if (byte === CR) this.#state = "size-lf";
    else if (byte === SEMICOLON) {
      this.#state = "extension";
      this.#extension = ";";
      this.#countExtension(1);
    } else throw badChunk("the size is followed by neither CRLF nor an extension");
  }

  #readExtension(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && ((CLASS[bytes[at] as number] as number) & IN_LINE) !== 0) at += 1;
    this.#countExtension(at - from);
    this.#extension += latin1(bytes.subarray(from, at));
    if (at === bytes.length) return at;
    if (bytes[at] !== CR) throw badChunk("a bare LF or a control character stands in an extension");
    if (!EXTENSIONS.test(this.#extension)) throw badChunk("its extension is not ;name or ;name=value");
    this.#extension = "";
    this.#state = "size-lf";
    return at + 1;
  }

  #countExtension(bytes: number): void {
    this.#extensionBytes += bytes;
    const limit = this.#limits.chunkExtensionBytes;
    if (this.#extensionBytes > limit)
      throw new Http1Error("chunk-extensions-too-large", `chunk extensions of one message: more than ${limit} bytes`);
  }
}

const EXTENSIONS = /^(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[^"\\]|\\.)*"))?)+$/;

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** @returns -1 for any other byte. */
const hexDigit = (byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
};

const badChunk = (problem: string): Http1Error =>
  new Http1Error("bad-chunk", `chunk: ${problem} (RFC 9112 section 7.1)`);
