import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** Where distributions put programs. An ordinary user's PATH often lacks the sbin folders, where ip and nft live. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];

/** A PATH with the system's folders added at its end. */
export const searchPath = (path: string | undefined): string =>
  [...new Set([...(path ?? "").split(":"), ...SYSTEM_FOLDERS])].filter((folder) => folder !== "").join(":");

/** The file that a program's name stands for, as a shell would find it. */
export const findProgram = (name: string, path: string): string | undefined =>
  path
    .split(":")
    .map((folder) => join(folder, name))
    .find(isExecutable);

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
