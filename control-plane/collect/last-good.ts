import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { hash } from "node:crypto";
import { join } from "node:path";
import { writeFileAtomically } from "#certs/issue/atomic-file.ts";
import { errorText, type Log } from "../log.ts";

/**
 * Remembers the last good text of files that have become bad, so that a restart before somebody repairs them does not remove
 * what was good. Files that are in order are not kept: the folder itself has them.
 */
export class LastGood {
  readonly #directory: string;
  readonly #log: Log;
  /** Last good texts of files that are good, in case they become bad. */
  readonly #texts = new Map<string, string>();

  /** @param directory readable for nobody else: pods may have secrets in their environment */
  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** The file is good now. */
  good(path: string, text: string): void {
    this.#texts.set(path, text);
    this.#remove(path);
  }

  /** The file is bad now. @returns its last good text from before a restart, if this is the first that is seen of it */
  bad(path: string): string | undefined {
    const text = this.#texts.get(path);
    if (text === undefined) return this.#read(path);
    this.#texts.delete(path);
    this.#write(path, text);
    return undefined;
  }

  gone(path: string): void {
    this.#texts.delete(path);
    this.#remove(path);
  }

  #fileOf(path: string): string {
    return join(this.#directory, `${hash("sha256", path).slice(0, 32)}.txt`);
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(this.#fileOf(path), "utf8");
    } catch {
      return undefined;
    }
  }

  #write(path: string, text: string): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      this.#warn(path, errorText(error));
      return;
    }
    const written = writeFileAtomically(this.#fileOf(path), text, 0o600);
    if (!written.ok) this.#warn(path, written.error);
  }

  #remove(path: string): void {
    try {
      rmSync(this.#fileOf(path), { force: true });
    } catch (error) {
      this.#warn(path, errorText(error));
    }
  }

  #warn(path: string, reason: string): void {
    this.#log.warn({ path, reason }, `the last good version of ${path} would not survive a restart: ${reason}`);
  }
}
