import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { err, ok, type Result } from "#mesh/result.ts";

/**
 * Writes a file so that whoever reads it, now or after a loss of power, finds the old content or the new, whole. One writer
 * at a time.
 * @param mode permissions, whatever the umask
 * @returns nothing, or which file could not be written and why
 */
export const writeFileAtomically = (
  path: string,
  data: string | Uint8Array,
  mode: number,
): Result<undefined, string> => {
  const temporary = `${path}.tmp`;
  try {
    rmSync(temporary, { force: true });
    writeSynced(temporary, data, mode);
    renameSync(temporary, path);
    syncDirectory(dirname(path));
    return ok(undefined);
  } catch (error) {
    removeQuietly(temporary);
    const { code = "", message } = error as NodeJS.ErrnoException;
    return err(`cannot write ${path}: ${message}${FULL.has(code) ? "; make room on its disk" : ""}`);
  }
};

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** What is half-written takes room that there is none of. That it cannot be removed is not what went wrong. */
const removeQuietly = (path: string): void => {
  try {
    rmSync(path, { force: true });
  } catch {
    // The next writer tries again.
  }
};

/** Makes the names in a directory as durable as the content of its files. */
export const syncDirectory = (path: string): void => {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
};

const writeSynced = (path: string, data: string | Uint8Array, mode: number): void => {
  const file = openSync(path, "wx", mode);
  try {
    fchmodSync(file, mode);
    writeFileSync(file, data);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};
