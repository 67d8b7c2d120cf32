import { objectKey } from "#mesh/objects/mesh-object.ts";
import type { Problem } from "#mesh/objects/reader.ts";
import type { ObjectName } from "./object-name.ts";

/** An object that a file puts in force. */
export interface InForce<Item> {
  readonly item: Item;
  readonly named: ObjectName;
  /** File and document: `shop/web.yaml#2`. */
  readonly source: string;
}

/** What is to be said of one object of a file. */
export interface ObjectReport {
  readonly named: ObjectName;
  readonly source: string;
  /** None: it is accepted. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
  /** It is refused because another declaration has its name, and whatever is in force under that name is the other. */
  readonly isTwin?: true;
}

/** Everything that is known from one file. */
export interface FileObjects<Item> {
  /** By {@link nameKey}. */
  readonly inForce: ReadonlyMap<string, InForce<Item>>;
  readonly reports: readonly ObjectReport[];
}

/** The key of an object by its name alone, equal to the one of mesh/objects for objects that are in order. */
export const nameKey = ({ kind, namespace, name }: ObjectName): string =>
  objectKey({ kind, metadata: { namespace, name } } as Parameters<typeof objectKey>[0]);

const KEPT =
  "is no longer in its file; it stays while the file is empty or has mistakes, and goes when the file is deleted";

/**
 * What follows from a file's new text, given what was known from it before. Each good object is in force at once. While any
 * object is bad, or there is none at all, whatever was in force and is not replaced stays in force.
 */
export const nextFileObjects = <Item>(
  before: FileObjects<Item> | undefined,
  now: FileObjects<Item>,
): FileObjects<Item> => {
  if (isInOrder(now)) return now;
  const reported = new Set(now.reports.map(({ named }) => nameKey(named)));
  const kept = [...(before?.inForce ?? [])].filter(([key]) => !now.inForce.has(key));
  const unmentioned = kept.filter(([key]) => !reported.has(key));
  return {
    inForce: new Map([...kept, ...now.inForce]),
    reports: [
      ...now.reports,
      ...unmentioned.map(([, { named, source }]) => ({ named, source, problems: [], warnings: [KEPT] })),
    ],
  };
};

/** Whether a file says what it wants to say: it has objects, and none of them is bad. */
export const isInOrder = ({ reports }: FileObjects<unknown>): boolean =>
  reports.length > 0 && reports.every(({ problems }) => problems.length === 0);

/** A file that is there and cannot be read: as one whose only object is bad. */
export const unreadableFile = (path: string, problem: string): FileObjects<never> => ({
  inForce: new Map(),
  reports: [
    {
      named: { kind: "File", namespace: "", name: path },
      source: path,
      problems: [{ path: "", message: `${path} ${problem}` }],
      warnings: [],
    },
  ],
});
