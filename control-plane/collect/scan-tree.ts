import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../log.ts";
import type { FolderLimits } from "./folder-limits.ts";

/** What one look at a folder found. Paths are relative to it, with slashes. */
export interface TreeLook {
  /** Files that hold objects by their name, each with a stamp that changes whenever the file does. */
  readonly files: ReadonlyMap<string, string>;
  /** By path, "" for the folder itself. */
  readonly problems: ReadonlyMap<string, string>;
  /** Files and folders that could not be looked at: what is known of them has not gone because of that. */
  readonly unseen: readonly string[];
}

/** Looks at a whole tree without reading any file. Links are followed; one to a folder that it is itself in is a problem. */
export const scanTree = async (directory: string, limits: FolderLimits): Promise<TreeLook> => {
  const scan = new TreeScan(directory, limits);
  await scan.enter("", []);
  return scan;
};

/** Whether a look says that this file is no longer there. */
export const isGoneFrom = (look: TreeLook, path: string): boolean =>
  !look.files.has(path) &&
  !look.unseen.some((unseen) => unseen === "" || path === unseen || path.startsWith(`${unseen}/`));

/** The names under which objects are kept. */
const isObjectFile = (path: string): boolean => /\.(?:ya?ml|json)$/i.test(path);

class TreeScan implements TreeLook {
  readonly files = new Map<string, string>();
  readonly problems = new Map<string, string>();
  readonly unseen: string[] = [];
  readonly #directory: string;
  readonly #limits: FolderLimits;

  constructor(directory: string, limits: FolderLimits) {
    this.#directory = directory;
    this.#limits = limits;
  }

  /** @param above device and inode of the folders that this one is in, which tell a loop of links. */
  async enter(folder: string, above: readonly string[]): Promise<void> {
    try {
      const { dev, ino } = await stat(join(this.#directory, folder), { bigint: true });
      const id = `${dev}:${ino}`;
      if (above.includes(id)) this.#cannotSee(folder, "is a link to a folder that it is itself in");
      else if (above.length > this.#limits.maxFolderDepth) {
        this.#cannotSee(folder, `is more than ${this.#limits.maxFolderDepth} folders deep and is not read`);
      } else await this.#list(folder, [...above, id]);
    } catch (error) {
      if (folder === "" || !isMissing(error)) this.#cannotSee(folder, `cannot be read: ${errorText(error)}`);
    }
  }

  async #list(folder: string, above: readonly string[]): Promise<void> {
    const entries = await readdir(join(this.#directory, folder), { withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isDirectory() || entry.isSymbolicLink() || isObjectFile(entry.name))
      // Hidden ones are an editor's, or on their way.
      .filter((entry) => !entry.name.startsWith("."))
      .map((entry) => (folder === "" ? entry.name : `${folder}/${entry.name}`))
      .sort();
    // All at once: ten thousand files looked at one after the other would take longer than a change may wait.
    const folders = await Promise.all(paths.map((path) => this.#lookAt(path)));
    for (const path of folders) if (path !== undefined) await this.enter(path, above);
  }

  /** @returns the path if it is a folder, to be entered. */
  async #lookAt(path: string): Promise<string | undefined> {
    try {
      const found = await stat(join(this.#directory, path), { bigint: true });
      if (found.isDirectory()) return path;
      if (!isObjectFile(path)) return undefined;
      if (!found.isFile()) this.#cannotSee(path, "is not a file");
      else if (this.files.size >= this.#limits.maxFiles) this.#tooMany();
      else this.files.set(path, `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`);
    } catch (error) {
      if (isObjectFile(path) && !isMissing(error)) this.#cannotSee(path, `cannot be read: ${errorText(error)}`);
    }
    return undefined;
  }

  #tooMany(): void {
    if (!this.unseen.includes(""))
      this.#cannotSee("", `has more than ${this.#limits.maxFiles} files; the rest is not read`);
  }

  #cannotSee(path: string, problem: string): void {
    this.problems.set(path, problem);
    this.unseen.push(path);
  }
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";
