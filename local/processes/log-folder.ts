import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { BoundedLog, followFile } from "./bounded-log.ts";

/** The log of what the runtime itself says. Whoever starts it opens it, before there is a runtime. */
export const RUNTIME_LOG = "runtime";

/** The logs of a mesh, by name: pods, nodes, the control plane. Those of an earlier run are kept until it begins. */
export class LogFolder {
  readonly #path: string;
  readonly #open = new Map<string, BoundedLog>();

  constructor(path: string) {
    this.#path = path;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(path)) if (!file.startsWith(`${RUNTIME_LOG}.`)) rmSync(join(path, file));
  }

  pathOf(name: string): string {
    return join(this.#path, `${name}.log`);
  }

  open(name: string): BoundedLog {
    const log = this.#open.get(name) ?? new BoundedLog(this.pathOf(name));
    this.#open.set(name, log);
    return log;
  }

  /** The log if something writes to it. */
  find(name: string): BoundedLog | undefined {
    return this.#open.get(name);
  }

  /** Calls `reader` with what is written under a name from now on. @returns a function that ends it; undefined where nothing will be */
  follow(name: string, reader: (chunk: Buffer) => void): (() => void) | undefined {
    if (name !== RUNTIME_LOG) return this.#open.get(name)?.follow(reader);
    const path = this.pathOf(name);
    return followFile(path, statSync(path).size, reader);
  }

  /** Whether something was written under this name since the mesh began, or may yet be. */
  has(name: string): boolean {
    return this.#open.has(name) || existsSync(this.pathOf(name));
  }

  close(name: string): void {
    this.#open.get(name)?.end();
    this.#open.delete(name);
  }
}
