import { hash } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "#mesh/clock.ts";
import type { FolderLimits } from "./folder-limits.ts";
import { type FileText, readText } from "./read-text.ts";
import { scanTree } from "./scan-tree.ts";
import { type SeenFiles, settle, withRead } from "./settle.ts";

/** What became of one file since the last look. */
export type FileNews =
  | { readonly kind: "text"; readonly path: string; readonly text: string }
  /** It is there, and cannot be read. */
  | { readonly kind: "refused"; readonly path: string; readonly problem: string }
  | { readonly kind: "gone"; readonly path: string };

export interface FolderNews {
  /** In the order of paths; the same text twice in a row is no news. */
  readonly files: readonly FileNews[];
  /** What is wrong with the tree itself, by path. */
  readonly problems: ReadonlyMap<string, string>;
  /** Whether some file still has to come to rest before it is read. */
  readonly isSettling: boolean;
}

/** How many files are read at a time: more would only wait for each other, holding their memory. */
const READ_BATCH = 32;

/** A folder looked at again and again, by nothing but its files' stamps, which works on every file system. */
export class WatchedFolder {
  readonly #directory: string;
  readonly #settleMs: number;
  readonly #limits: FolderLimits;
  readonly #clock: Clock;
  readonly #digests = new Map<string, string>();
  #seen: SeenFiles = new Map();

  /** @param settleMs how long a file must be unchanged; 0 where writers replace files in one step. */
  constructor(directory: string, settleMs: number, limits: FolderLimits, clock: Clock) {
    this.#directory = directory;
    this.#settleMs = settleMs;
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Looks once. Never fails: what cannot be read is in the answer. */
  async look(): Promise<FolderNews> {
    const tree = await scanTree(this.#directory, this.#limits);
    const due = settle(this.#seen, tree, this.#clock.now(), this.#settleMs);
    const read = await this.#readAll(due.toRead);
    const resting = read.filter(({ text }) => !isToBeReadAgain(text)).map(({ path }) => path);
    this.#seen = withRead(due.seen, new Set(resting));
    for (const path of due.gone) this.#digests.delete(path);
    return {
      files: [
        ...due.gone.map((path) => ({ kind: "gone", path }) as const),
        ...read.flatMap((file) => this.#news(file)),
      ],
      problems: tree.problems,
      isSettling: [...this.#seen.values()].some(({ readTimes }) => readTimes === 0),
    };
  }

  async #readAll(paths: readonly string[]): Promise<readonly { readonly path: string; readonly text: FileText }[]> {
    const read = [];
    for (let start = 0; start < paths.length; start += READ_BATCH) {
      const batch = paths.slice(start, start + READ_BATCH).map(async (path) => ({
        path,
        text: await readText(join(this.#directory, path), this.#limits.maxFileBytes),
      }));
      read.push(...(await Promise.all(batch)));
    }
    return read;
  }

  #news({ path, text }: { readonly path: string; readonly text: FileText }): readonly FileNews[] {
    if (text.kind === "unsettled") return [];
    const digest = hash("sha256", text.kind === "text" ? `text ${text.text}` : `refused ${text.problem}`);
    if (this.#digests.get(path) === digest) return [];
    this.#digests.set(path, digest);
    return [{ ...text, path }];
  }
}

const isToBeReadAgain = (text: FileText): boolean =>
  text.kind === "unsettled" || (text.kind === "refused" && text.isPassing === true);
