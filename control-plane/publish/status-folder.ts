import { mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { backoffDelayMs, type BackoffSettings } from "#mesh/backoff.ts";
import type { Clock } from "#mesh/clock.ts";
import type { DerivedStatus } from "../derive/derived-status.ts";
import { errorText, type Log } from "../log.ts";
import {
  readTransitionTimes,
  STATUS_KINDS,
  statusPath,
  statusYaml,
  type TransitionTimes,
  transitionTimes,
} from "./status-document.ts";

export interface StatusFolderSettings {
  readonly path: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

const RETRY_BACKOFF: BackoffSettings = { firstMs: 500, maxMs: 15_000, jitter: 0.2 };
/** More than a status has: 32 entries with a few conditions, whose messages are short lists. */
const MAX_STATUS_BYTES = 1024 * 1024;
/** Beside the folders of kinds, none of which is called so; one file is written at a time. */
const UNFINISHED = ".unfinished";

interface WrittenStatus {
  readonly generation: number;
  readonly entries: DerivedStatus["entries"];
  readonly times: TransitionTimes;
  readonly text: string;
}

/**
 * A folder with the status of each object that has one, for tools to read and to wait for: where there is no API server there
 * is nothing else that would hold it. Readers see an old status or a new one, whole. Nobody waits for the writing: what cannot
 * be written is said, and tried again.
 */
export class StatusFolder {
  readonly path: string;
  readonly #settings: StatusFolderSettings;
  readonly #wanted = new Map<string, WrittenStatus>();
  /** Paths of files that are not as they should be. */
  readonly #stale = new Set<string>();
  /** Times that an earlier process wrote. */
  readonly #earlier = new Map<string, TransitionTimes>();
  #failures = 0;
  #problem: string | undefined;
  #writing: Promise<void> | undefined;
  #cancelRetry: () => void = () => {};
  #isStopped = false;

  constructor(settings: StatusFolderSettings) {
    this.path = settings.path;
    this.#settings = settings;
  }

  /** Why statuses are not as they should be; undefined while they are, or soon will be. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Reads what is there, so that a restart is no transition. What cannot be read is as if it were not there. */
  async open(): Promise<void> {
    for (const kind of STATUS_KINDS) {
      for (const namespace of await namesIn(join(this.path, kind))) {
        for (const file of await namesIn(join(this.path, kind, namespace))) {
          const path = `${kind}/${namespace}/${file}`;
          const times = readTransitionTimes(path, await textOf(join(this.path, path)));
          if (times) this.#earlier.set(path, times);
        }
      }
    }
  }

  /** Makes these the statuses that there are. Returns at once. */
  set(statuses: readonly DerivedStatus[]): void {
    const now = `${new Date(this.#settings.clock.now()).toISOString().slice(0, 19)}Z`;
    const paths = new Set<string>();
    for (const status of statuses) {
      const path = statusPath(status);
      paths.add(path);
      const before = this.#wanted.get(path);
      if (before?.entries === status.entries && before.generation === status.generation) continue;
      const times = transitionTimes(status, before?.times ?? this.#earlier.get(path) ?? new Map(), now);
      const { generation, entries } = status;
      const text = statusYaml(status, times);
      this.#wanted.set(path, { generation, entries, times, text });
      if (text !== before?.text) this.#stale.add(path);
    }
    for (const path of [...this.#wanted.keys(), ...this.#earlier.keys()]) {
      if (paths.has(path)) continue;
      this.#wanted.delete(path);
      this.#stale.add(path);
    }
    this.#earlier.clear();
    this.#write();
  }

  /** Resolves when nothing is being written any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelRetry();
    await this.#writing;
  }

  #write(): void {
    if (this.#writing !== undefined || this.#isStopped || this.#stale.size === 0) return;
    this.#cancelRetry();
    this.#writing = this.#writeAll().then((problem) => {
      this.#writing = undefined;
      this.#settle(problem);
    });
  }

  /** @returns why something could not be written; everything else was */
  async #writeAll(): Promise<string | undefined> {
    let problem: string | undefined;
    const failed = new Set<string>();
    for (let path = first(this.#stale); path !== undefined && !this.#isStopped; path = first(this.#stale)) {
      this.#stale.delete(path);
      try {
        await this.#bringUpToDate(path);
      } catch (error) {
        problem ??= `${path}: ${errorText(error)}`;
        failed.add(path);
      }
    }
    for (const path of failed) this.#stale.add(path);
    return problem;
  }

  #settle(problem: string | undefined): void {
    const { clock, random, log, path } = this.#settings;
    if (problem === undefined) {
      if (this.#problem !== undefined) log.info({ path }, `statuses are written to ${path} again`);
      this.#problem = undefined;
      this.#failures = 0;
      this.#write();
      return;
    }
    if (this.#problem === undefined) {
      log.warn(
        { path, reason: problem },
        `statuses cannot be written to ${path}, and nothing else depends on it: ${problem}`,
      );
    }
    this.#problem = problem;
    if (this.#isStopped) return;
    this.#cancelRetry = clock.after(backoffDelayMs(RETRY_BACKOFF, this.#failures++, random), () => this.#write());
  }

  async #bringUpToDate(path: string): Promise<void> {
    const target = join(this.path, path);
    const wanted = this.#wanted.get(path);
    if (wanted === undefined) {
      await rm(target, { force: true });
      // Others may be in the folder.
      await rmdir(dirname(target)).catch(() => {});
      return;
    }
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    const unfinished = join(this.path, UNFINISHED);
    try {
      await writeFile(unfinished, wanted.text, { mode: 0o600 });
      await rename(unfinished, target);
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => {});
      throw error;
    }
  }
}

const first = (paths: ReadonlySet<string>): string | undefined => paths.values().next().value;

const namesIn = (path: string): Promise<readonly string[]> => readdir(path).catch(() => []);

const textOf = async (path: string): Promise<string> => {
  try {
    const { size } = await stat(path);
    return size > MAX_STATUS_BYTES ? "" : await readFile(path, "utf8");
  } catch {
    return "";
  }
};
