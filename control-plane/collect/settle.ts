import { isGoneFrom, type TreeLook } from "./scan-tree.ts";

/** What is remembered of a file between looks. */
export interface SeenFile {
  /** Undefined: it is not there. */
  readonly stamp: string | undefined;
  /** When this stamp was first seen. */
  readonly sinceMs: number;
  /** Whether the file was read with this stamp: not at all, once, or once more after time stamps had time to move on. */
  readonly readTimes: 0 | 1 | 2;
}

export type SeenFiles = ReadonlyMap<string, SeenFile>;

/**
 * A file written twice within one tick of its file system's clock keeps its stamp (two seconds on some), so each is read once
 * more when its stamp is older than that.
 */
const COARSEST_CLOCK_MS = 2_500;

/** What to do now: files to read, and files whose absence is certain. */
export interface DueFiles {
  readonly seen: SeenFiles;
  readonly toRead: readonly string[];
  readonly gone: readonly string[];
}

/**
 * Compares a look with what was seen before. A file is due when its stamp did not change for `settleMs`, so that one that is
 * being written, or replaced by removing and making it again, is left alone until it rests.
 */
export const settle = (before: SeenFiles, look: TreeLook, nowMs: number, settleMs: number): DueFiles => {
  const seen = new Map<string, SeenFile>();
  const toRead: string[] = [];
  const gone: string[] = [];
  for (const path of [...new Set([...look.files.keys(), ...before.keys()])].sort()) {
    const known = before.get(path);
    const file = known && !look.files.has(path) && !isGoneFrom(look, path) ? known : seeAgain(known, look, path, nowMs);
    const isDue = nowMs - file.sinceMs >= (file.readTimes === 1 ? COARSEST_CLOCK_MS : settleMs) && file.readTimes < 2;
    if (isDue && file.stamp === undefined) gone.push(path);
    else seen.set(path, file);
    if (isDue && file.stamp !== undefined) toRead.push(path);
  }
  return { seen, toRead, gone };
};

const seeAgain = (known: SeenFile | undefined, look: TreeLook, path: string, nowMs: number): SeenFile => {
  const stamp = look.files.get(path);
  if (!known || known.stamp !== stamp) return { stamp, sinceMs: nowMs, readTimes: 0 };
  // A clock that was set back would have it rest until the time comes again.
  return known.sinceMs > nowMs ? { ...known, sinceMs: nowMs } : known;
};

/** Notes that these files were read as they were seen. */
export const withRead = (seen: SeenFiles, paths: ReadonlySet<string>): SeenFiles =>
  new Map([...seen].map(([path, file]) => [path, paths.has(path) ? readOnceMore(file) : file]));

const readOnceMore = (file: SeenFile): SeenFile => ({ ...file, readTimes: file.readTimes === 0 ? 1 : 2 });
