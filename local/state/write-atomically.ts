import { renameSync, rmSync, writeFileSync } from "node:fs";

/**
 * Replaces a file so that readers see the old text or the new, never a part.
 * @throws Error naming the file; it is as it was then
 */
export const writeAtomically = (path: string, text: string, mode = 0o600): void => {
  const unfinished = `${path}.tmp`;
  try {
    writeFileSync(unfinished, text, { mode });
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    const { code = "", message } = error as NodeJS.ErrnoException;
    const remedy = FULL.has(code) ? "; free space on its disk, and it goes on by itself" : "";
    throw new Error(`${path} cannot be written: ${message}${remedy}`, { cause: error });
  }
};

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);
