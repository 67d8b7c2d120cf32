import { renameSync, writeFileSync } from "node:fs";

/** Replaces a file so that readers see the old text or the new, never a part. */
export const writeAtomically = (path: string, text: string, mode = 0o600): void => {
  const unfinished = `${path}.tmp`;
  writeFileSync(unfinished, text, { mode });
  renameSync(unfinished, path);
};
