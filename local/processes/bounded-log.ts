import { closeSync, openSync, readFileSync, readSync, renameSync, statSync, write } from "node:fs";
import { Writable } from "node:stream";

/** What one log may hold: this, and as much again in the file it replaced. Weeks of a quiet pod, seconds of a mad one. */
export const MAX_LOG_BYTES = 8 * 1024 * 1024;

/**
 * A log file of bounded size. When it is full it becomes `<path>.1`, and a new one begins. Several processes may be piped
 * into it; what a full disk does not take is dropped, because a log must not stop what it tells about.
 */
export class BoundedLog extends Writable {
  readonly path: string;
  readonly #maxBytes: number;
  readonly #readers = new Set<(chunk: Buffer) => void>();
  #fd: number;
  #size: number;

  constructor(path: string, maxBytes = MAX_LOG_BYTES) {
    super();
    this.path = path;
    this.#maxBytes = maxBytes;
    this.#fd = openSync(path, "a", 0o600);
    this.#size = statSync(path).size;
  }

  /** Calls `reader` with everything that is appended from now on. @returns a function that ends it. */
  follow(reader: (chunk: Buffer) => void): () => void {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#size > 0 && this.#size + chunk.length > this.#maxBytes) this.#turnOver();
    this.#size += chunk.length;
    write(this.#fd, chunk, () => {
      for (const reader of this.#readers) reader(chunk);
      done();
    });
  }

  override _final(done: () => void): void {
    closeSync(this.#fd);
    done();
  }

  #turnOver(): void {
    closeSync(this.#fd);
    renameSync(this.path, `${this.path}.1`);
    this.#fd = openSync(this.path, "a", 0o600);
    this.#size = 0;
  }
}

/** How often a file that others write is looked at. */
const LOOK_MS = 250;
/** What is read of it at a time. */
const READ_BYTES = 65_536;

/** Calls `reader` with everything that somebody else appends to a file from a size on. @returns a function that ends it. */
export const followFile = (path: string, from: number, reader: (chunk: Buffer) => void): (() => void) => {
  let read = from;
  const look = (): void => {
    try {
      const size = statSync(path).size;
      // It was begun anew.
      if (size < read) read = 0;
      for (; read < size;) {
        const chunk = readFrom(path, read);
        if (chunk.length === 0) return;
        read += chunk.length;
        reader(chunk);
      }
    } catch {
      // It may be there at the next look.
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return () => clearInterval(timer);
};

const readFrom = (path: string, position: number): Buffer => {
  const fd = openSync(path, "r");
  try {
    const chunk = Buffer.alloc(READ_BYTES);
    return chunk.subarray(0, readSync(fd, chunk, 0, READ_BYTES, position));
  } finally {
    closeSync(fd);
  }
};

/**
 * The last lines of a log of which `isWanted` is true, at most so many, reaching back into the file that was full before. Empty
 * where there is no log.
 */
export const tailOfLog = (path: string, lines: number, isWanted: (line: string) => boolean = () => true): string => {
  const current = readIfThere(path);
  const tail = lastLines(current, lines, isWanted);
  return (tail.length >= lines ? tail : lastLines(readIfThere(`${path}.1`) + current, lines, isWanted)).join("");
};

const readIfThere = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** From the end on, so that of a long log only those lines are looked at that are needed. */
const lastLines = (text: string, count: number, isWanted: (line: string) => boolean): readonly string[] => {
  const found: string[] = [];
  for (const line of text.split(/(?<=\n)/).reverse()) {
    if (found.length === count) break;
    if (isWanted(line)) found.push(line);
  }
  return found.reverse();
};
