import type { ObjectStatus } from "#mesh/admin/control-plane-status.ts";
import type { Clock } from "#mesh/clock.ts";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { errorText, type Log } from "../log.ts";
import { type Assignment, readAssignment, withAssignment, withoutAssignment } from "./assignment.ts";
import { readDeclaredObject } from "./declared-object.ts";
import { nameKey, type ObjectReport } from "./file-objects.ts";
import { DEFAULT_FOLDER_LIMITS, type FolderLimits } from "./folder-limits.ts";
import { LastGood } from "./last-good.ts";
import { ObjectFolder } from "./object-folder.ts";
import type { CollectedChange, CollectedObject, ObjectSource } from "./object-source.ts";
import { declarationStatuses, problemStatuses } from "./object-statuses.ts";
import { WatchedFolder } from "./watched-folder.ts";

export interface FolderSourceSettings {
  readonly objectsDirectory: string;
  /** Undefined: the declared objects say themselves where pods run and which addresses they have. */
  readonly assignedDirectory: string | undefined;
  /** Where the last good versions of bad files outlive a restart. */
  readonly lastGoodDirectory: string;
  readonly lookEveryMs: number;
  /** How long a declared file must rest before it is read. Assigned files are replaced in one step and need not. */
  readonly settleMs: number;
  readonly limits: FolderLimits;
}

/** A change is read after at most one wait to be seen, one to settle and one look more: under the second that is promised. */
export const FOLDER_SOURCE_DEFAULTS = { lookEveryMs: 200, settleMs: 200, limits: DEFAULT_FOLDER_LIMITS } as const;

/** A file that never rests must not keep everything else from starting. */
const MAX_START_LOOKS = 25;

/** Objects from a folder of Kubernetes YAML, with what a runtime assigned to them from a second one. */
export class FolderSource implements ObjectSource {
  readonly #settings: FolderSourceSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #declared: ObjectFolder<MeshObject>;
  readonly #assigned: ObjectFolder<Assignment> | undefined;
  readonly #collected = new Map<string, CollectedObject>();
  #cancelNextLook: () => void = () => {};
  #looking: Promise<boolean> = Promise.resolve(true);
  #stopped = false;

  constructor(settings: FolderSourceSettings, clock: Clock, log: Log) {
    const { objectsDirectory, assignedDirectory, settleMs, limits } = settings;
    const objects = new WatchedFolder(objectsDirectory, settleMs, limits, clock);
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#declared = new ObjectFolder(
      "",
      objects,
      readDeclaredObject,
      limits,
      new LastGood(settings.lastGoodDirectory, log),
    );
    if (assignedDirectory === undefined) return;
    const assigned = new WatchedFolder(assignedDirectory, 0, limits, clock);
    this.#assigned = new ObjectFolder("assigned/", assigned, readAssignment, limits);
  }

  async start(listener: (change: CollectedChange) => void): Promise<Result<undefined, string>> {
    const { objectsDirectory, lookEveryMs } = this.#settings;
    for (let looks = 0; looks < MAX_START_LOOKS && !this.#stopped; looks++) {
      const isDone = await this.#look(listener);
      const problem = this.#declared.treeProblem("");
      if (problem !== undefined) return err(`the folder of objects, ${objectsDirectory}, ${problem}`);
      if (isDone) break;
      await new Promise<void>((resolve) => void this.#clock.after(lookEveryMs, resolve));
    }
    this.#lookAgain(listener);
    return ok(undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelNextLook();
    await this.#looking;
  }

  statuses(): readonly ObjectStatus[] {
    const assigned = [...(this.#assigned?.objects.files().values() ?? [])].flatMap(({ reports }) => reports);
    const trees = [...this.#declared.treeReports(), ...(this.#assigned?.treeReports() ?? [])];
    return [
      ...declarationStatuses(this.#declared.objects, this.#assigned !== undefined),
      ...problemStatuses([...trees, ...assigned]),
    ];
  }

  #lookAgain(listener: (change: CollectedChange) => void): void {
    if (this.#stopped) return;
    this.#cancelNextLook = this.#clock.after(this.#settings.lookEveryMs, () => {
      this.#looking = this.#look(listener);
      void this.#looking.finally(() => this.#lookAgain(listener));
    });
  }

  /** @returns whether every file that is there has been read. Never fails. */
  async #look(listener: (change: CollectedChange) => void): Promise<boolean> {
    try {
      const [declared, assigned] = await Promise.all([this.#declared.look(), this.#assigned?.look()]);
      this.#logProblems(declared.reports, this.#declared);
      if (assigned && this.#assigned) this.#logProblems(assigned.reports, this.#assigned);
      const change = this.#collect(new Set([...declared.keys, ...(assigned?.keys ?? [])]));
      if (change.size > 0 && !this.#stopped) listener(change);
      return !declared.isSettling;
    } catch (error) {
      this.#log.error({ error: errorText(error) }, "a look at the folder of objects failed; the next one follows");
      return false;
    }
  }

  #collect(keys: ReadonlySet<string>): CollectedChange {
    const change = new Map<string, CollectedObject | undefined>();
    for (const key of keys) {
      const declared = this.#declared.objects.winner(key)?.item;
      const known = this.#collected.get(key);
      if (declared) {
        const object = { declared, current: this.#current(key, declared) };
        this.#collected.set(key, object);
        change.set(key, object);
      } else if (known) {
        this.#collected.delete(key);
        change.set(key, undefined);
      }
    }
    return change;
  }

  #current(key: string, declared: MeshObject): MeshObject {
    if (!this.#assigned) return declared;
    return withAssignment(withoutAssignment(declared), this.#assigned.objects.winner(key)?.item);
  }

  #logProblems(reports: readonly ObjectReport[], { objects }: ObjectFolder<unknown>): void {
    for (const { named, source, problems, isTwin } of reports) {
      if (problems.length === 0) continue;
      const text = problems.map(({ path, message }) => (path === "" ? message : `${path} ${message}`)).join("; ");
      const isKept = isTwin !== true && objects.winner(nameKey(named)) !== undefined;
      const consequence = isKept ? "; the last good version stays in force" : "";
      this.#log.warn({ source, object: nameKey(named) }, `${source}: ${text}${consequence}`);
    }
  }
}
