import { CLASS, CR, IN_LINE, LF } from "./characters.ts";
import { Http1Error } from "./http1-error.ts";

/** What a section of lines may hold: a head with its start line, or trailers without one. */
export interface SectionLimits {
  readonly what: "head" | "trailers";
  readonly sectionBytes: number;
  /** 0: the section has no start line. */
  readonly startLineBytes: number;
  readonly fields: number;
}

/**
 * Finds the end of a section: lines that end with CRLF, the last of them empty (RFC 9112 section 2.1). It looks at each byte
 * once, however the section is cut, and remembers where the lines end. Here dies what could be read as another line by
 * somebody else: a bare LF, a bare CR, and control characters (RFC 9112 sections 2.2 and 5).
 */
export class LineScanner {
  readonly #limits: SectionLimits;
  /** Offset of each line's CR from the start of the section; entries after {@link lineCount} are of earlier sections. */
  readonly lineEnds: number[] = [];
  lineCount = 0;
  #scanned = 0;
  #lineStart = 0;
  #isAfterCr = false;

  constructor(limits: SectionLimits) {
    this.#limits = limits;
  }

  reset(): void {
    this.lineCount = 0;
    this.#scanned = 0;
    this.#lineStart = 0;
    this.#isAfterCr = false;
  }

  /** @returns the index after the section's last byte, or -1 when all bytes were seen and it has not ended. */
  scan(bytes: Uint8Array, from: number): number {
    const base = this.#scanned - from;
    const { length } = bytes;
    let at = from;
    while (at < length) {
      if (!this.#isAfterCr) {
        const stop = Math.min(length, this.#lineLimit() - base);
        while (at < stop && ((CLASS[bytes[at] as number] as number) & IN_LINE) !== 0) at += 1;
        if (at === length) break;
        if (at === stop) throw this.#tooLong();
        if (bytes[at] !== CR)
          throw bytes[at] === LF ? badLineEnd("LF without CR") : controlCharacter(bytes[at] as number);
        at += 1;
        this.#isAfterCr = true;
        if (at === length) break;
      }
      if (bytes[at] !== LF) throw badLineEnd("CR without LF");
      this.#isAfterCr = false;
      at += 1;
      if (this.#endLine(at + base)) {
        this.#scanned = at + base;
        return at;
      }
    }
    this.#scanned = at + base;
    return -1;
  }

  /** @returns whether that was the empty line. `end` is the offset after its LF. */
  #endLine(end: number): boolean {
    if (end > this.#lineLimit()) throw this.#tooLong();
    const isEmpty = end - 2 === this.#lineStart;
    const { startLineBytes, fields, what } = this.#limits;
    if (isEmpty && (this.lineCount > 0 || startLineBytes === 0)) return true;
    if (this.lineCount === (startLineBytes === 0 ? fields : fields + 1))
      throw new Http1Error("too-many-fields", `${what}: more than ${fields} fields`);
    this.lineEnds[this.lineCount] = end - 2;
    this.lineCount += 1;
    this.#lineStart = end;
    return false;
  }

  /** Offset at which the line that is being read has become too long. */
  #lineLimit(): number {
    const { sectionBytes, startLineBytes } = this.#limits;
    return this.lineCount === 0 && startLineBytes > 0 ? Math.min(startLineBytes, sectionBytes) : sectionBytes;
  }

  #tooLong(): Http1Error {
    const { what, sectionBytes, startLineBytes } = this.#limits;
    if (what === "trailers") return new Http1Error("trailers-too-large", `trailers: more than ${sectionBytes} bytes`);
    if (this.lineCount === 0 && startLineBytes <= sectionBytes)
      return new Http1Error("start-line-too-long", `start line: more than ${startLineBytes} bytes`);
    return new Http1Error("head-too-large", `head: more than ${sectionBytes} bytes`);
  }
}

const badLineEnd = (problem: string): Http1Error =>
  new Http1Error("bad-line-end", `${problem}: a line ends with CRLF (RFC 9112 section 2.2)`);

const controlCharacter = (code: number): Http1Error =>
  new Http1Error(
    "control-character",
    `control character 0x${code.toString(16).padStart(2, "0")} in a line (RFC 9110 section 5.5)`,
  );
