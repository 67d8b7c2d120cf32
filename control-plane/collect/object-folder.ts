import { type FileObjects, isInOrder, nextFileObjects, type ObjectReport, unreadableFile } from "./file-objects.ts";
import { FirstByPath } from "./first-by-path.ts";
import type { FolderLimits } from "./folder-limits.ts";
import type { LastGood } from "./last-good.ts";
import { type ObjectReader, readFileObjects } from "./read-file-objects.ts";
import type { FileNews, WatchedFolder } from "./watched-folder.ts";

/** What a look at a folder of objects brought. */
export interface ObjectFolderNews {
  /** Keys of objects that may be different now. */
  readonly keys: readonly string[];
  /** Reports of the files that changed. */
  readonly reports: readonly ObjectReport[];
  readonly isSettling: boolean;
}

/** A watched folder read as objects of one sort. */
export class ObjectFolder<Item> {
  readonly objects = new FirstByPath<Item>();
  readonly #label: string;
  readonly #folder: WatchedFolder;
  readonly #read: ObjectReader<Item>;
  readonly #limits: FolderLimits;
  readonly #lastGood: LastGood | undefined;
  #treeProblems: ReadonlyMap<string, string> = new Map();

  /**
   * @param label stands before the paths of files in reports
   * @param lastGood undefined where files are written by a program that writes whole ones
   */
  constructor(
    label: string,
    folder: WatchedFolder,
    read: ObjectReader<Item>,
    limits: FolderLimits,
    lastGood?: LastGood,
  ) {
    this.#label = label;
    this.#folder = folder;
    this.#read = read;
    this.#limits = limits;
    this.#lastGood = lastGood;
  }

  async look(): Promise<ObjectFolderNews> {
    const news = await this.#folder.look();
    const newProblems = [...news.problems].filter(([path, problem]) => this.#treeProblems.get(path) !== problem);
    this.#treeProblems = news.problems;
    const keys: string[] = [];
    const reports = this.#treeReports(newProblems);
    for (const file of news.files) {
      const objects = await this.#readFile(file);
      keys.push(...this.objects.set(file.path, objects));
      reports.push(...(objects?.reports ?? []));
    }
    return { keys, reports, isSettling: news.isSettling };
  }

  /** What is wrong with a file or folder of the tree; "" is the whole. */
  treeProblem(path: string): string | undefined {
    return this.#treeProblems.get(path);
  }

  /** What is wrong with the folder itself, rather than with something in it. */
  treeReports(): readonly ObjectReport[] {
    return this.#treeReports([...this.#treeProblems]);
  }

  async #readFile(news: FileNews): Promise<FileObjects<Item> | undefined> {
    const { path } = news;
    if (news.kind === "gone") {
      this.#lastGood?.gone(path);
      return undefined;
    }
    const now =
      news.kind === "text" ? await this.#readText(path, news.text) : unreadableFile(this.#label + path, news.problem);
    if (news.kind === "text" && isInOrder(now)) this.#lastGood?.good(path, news.text);
    return nextFileObjects(isInOrder(now) ? undefined : await this.#before(path), now);
  }

  /** What a file had in force before it became bad: in this process, or in the one before it. */
  async #before(path: string): Promise<FileObjects<Item> | undefined> {
    const text = this.#lastGood?.bad(path);
    return this.objects.file(path) ?? (text === undefined ? undefined : this.#readText(path, text));
  }

  async #readText(path: string, text: string): Promise<FileObjects<Item>> {
    return readFileObjects(this.#label + path, text, this.#read, this.#limits);
  }

  #treeReports(problems: readonly (readonly [string, string])[]): ObjectReport[] {
    return problems.flatMap(
      ([path, problem]) =>
        unreadableFile(path === "" && this.#label === "" ? "the folder of objects" : this.#label + path, problem)
          .reports,
    );
  }
}
