import type { FileObjects, InForce } from "./file-objects.ts";

/**
 * The objects of many files. Where several files put the same object in force, the first of them by path has it, so that what
 * is served does not depend on the order in which files were written.
 */
export class FirstByPath<Item> {
  readonly #files = new Map<string, FileObjects<Item>>();
  readonly #paths = new Map<string, Set<string>>();

  file(path: string): FileObjects<Item> | undefined {
    return this.#files.get(path);
  }

  files(): ReadonlyMap<string, FileObjects<Item>> {
    return this.#files;
  }

  /** The object that is in force under a key. */
  winner(key: string): InForce<Item> | undefined {
    const path = this.winningPath(key);
    return path === undefined ? undefined : this.#files.get(path)?.inForce.get(key);
  }

  winningPath(key: string): string | undefined {
    const paths = this.#paths.get(key);
    return paths && [...paths].reduce((first, path) => (path < first ? path : first));
  }

  /** Replaces what is known from a file; undefined: the file is gone. @returns the keys that this may concern. */
  set(path: string, objects: FileObjects<Item> | undefined): readonly string[] {
    const before = [...(this.#files.get(path)?.inForce.keys() ?? [])];
    const now = [...(objects?.inForce.keys() ?? [])];
    for (const key of before) this.#leave(key, path);
    for (const key of now) this.#paths.set(key, (this.#paths.get(key) ?? new Set()).add(path));
    if (objects) this.#files.set(path, objects);
    else this.#files.delete(path);
    return [...new Set([...before, ...now])];
  }

  #leave(key: string, path: string): void {
    const paths = this.#paths.get(key);
    paths?.delete(path);
    if (paths?.size === 0) this.#paths.delete(key);
  }
}
