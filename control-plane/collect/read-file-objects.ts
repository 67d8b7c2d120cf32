import type { Problem } from "#mesh/objects/reader.ts";
import type { Result } from "#mesh/result.ts";
import { expandList } from "./expand-list.ts";
import { type FileObjects, type InForce, nameKey, type ObjectReport } from "./file-objects.ts";
import type { FolderLimits } from "./folder-limits.ts";
import { objectNameOf } from "./object-name.ts";
import { parseDocuments } from "./parse-documents.ts";

/** What one object of a file was found to be. */
export type ObjectReading<Item> =
  | { readonly kind: "object"; readonly item: Item }
  | { readonly kind: "ignored"; readonly reason: string }
  | { readonly kind: "refused"; readonly problems: readonly Problem[] };

/** Reads one object of JSON values. Never throws. */
export type ObjectReader<Item> = (value: unknown) => ObjectReading<Item>;

/** How long a file is parsed before something else gets its turn. */
const TURN_MS = 20;

/** Reads everything that a file's text holds. @param path what to call the file in reports */
export const readFileObjects = async <Item>(
  path: string,
  text: string,
  read: ObjectReader<Item>,
  limits: FolderLimits,
): Promise<FileObjects<Item>> => {
  const file = new FileReading(path, read);
  let turnEnds = performance.now() + TURN_MS;
  for (const { number, value } of parseDocuments(text, limits)) {
    file.addDocument(`${path}#${number}`, value);
    if (performance.now() < turnEnds) continue;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    turnEnds = performance.now() + TURN_MS;
  }
  return file;
};

class FileReading<Item> implements FileObjects<Item> {
  readonly inForce = new Map<string, InForce<Item>>();
  readonly reports: ObjectReport[] = [];
  readonly #path: string;
  readonly #read: ObjectReader<Item>;

  constructor(path: string, read: ObjectReader<Item>) {
    this.#path = path;
    this.#read = read;
  }

  addDocument(source: string, document: Result<unknown, readonly Problem[]>): void {
    if (document.ok) {
      for (const { path, value } of expandList(document.value)) this.#addObject(source, path, value);
    } else {
      const named = { kind: "Document", namespace: "", name: source };
      this.reports.push({ named, source, problems: document.error, warnings: [] });
    }
  }

  #addObject(source: string, path: string, value: unknown): void {
    const named = objectNameOf(value, path === "" ? source : `${source} ${path}`);
    const key = nameKey(named);
    const found = this.#read(value);
    const isTwin = found.kind === "object" && this.inForce.has(key);
    const reading = isTwin ? this.#refuseTwin(key) : found;
    if (reading.kind === "object") this.inForce.set(key, { item: reading.item, named, source });
    this.reports.push({
      named,
      source,
      problems: reading.kind === "refused" ? placedAt(path, reading.problems) : [],
      warnings: reading.kind === "ignored" ? [reading.reason] : [],
      ...(isTwin && { isTwin }),
    });
  }

  #refuseTwin(key: string): ObjectReading<Item> {
    const first = this.inForce.get(key)?.source ?? this.#path;
    return { kind: "refused", problems: [{ path: "metadata.name", message: `is already declared in ${first}` }] };
  }
}

const placedAt = (path: string, problems: readonly Problem[]): readonly Problem[] =>
  path === "" ? problems : problems.map((problem) => ({ ...problem, path: joinPath(path, problem.path) }));

const joinPath = (path: string, inside: string): string => (inside === "" ? path : `${path}.${inside}`);
