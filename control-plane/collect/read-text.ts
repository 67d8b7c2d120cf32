import { constants, type FileHandle, open } from "node:fs/promises";
import { errorText } from "../log.ts";

/** What came of reading a file. */
export type FileText =
  | { readonly kind: "text"; readonly text: string }
  /** @property isPassing it may be readable at the next look although nobody touches it */
  | { readonly kind: "refused"; readonly problem: string; readonly isPassing?: true }
  /** It went away, or somebody wrote to it meanwhile: look again later. */
  | { readonly kind: "unsettled" };

/** It lacks something that has nothing to do with the file: descriptors, memory; or the disk fails. */
const PASSING: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM", "EIO", "EAGAIN", "ESTALE"]);

/** Reads a whole text file of at most `maxBytes`. UTF-8 only, with or without a byte order mark. */
export const readText = async (path: string, maxBytes: number): Promise<FileText> => {
  try {
    // Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await readWhole(file, maxBytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return { kind: "unsettled" };
    const isPassing = PASSING.has(code);
    return { kind: "refused", problem: `cannot be read: ${errorText(error)}`, ...(isPassing && { isPassing }) };
  }
};

const readWhole = async (file: FileHandle, maxBytes: number): Promise<FileText> => {
  const before = await file.stat({ bigint: true });
  if (!before.isFile()) return { kind: "refused", problem: "is not a file" };
  if (before.size > maxBytes) {
    return { kind: "refused", problem: `has ${before.size} bytes, more than ${maxBytes}; split it into several files` };
  }
  const { bytesRead, buffer } = await file.read(Buffer.alloc(Number(before.size) + 1), 0, Number(before.size) + 1, 0);
  const after = await file.stat({ bigint: true });
  const isSame = after.size === before.size && after.mtimeNs === before.mtimeNs && bytesRead === Number(before.size);
  return isSame ? decode(buffer.subarray(0, bytesRead)) : { kind: "unsettled" };
};

const decode = (bytes: Uint8Array): FileText => {
  try {
    return { kind: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { kind: "refused", problem: "is not UTF-8 text; save it as UTF-8" };
  }
};
