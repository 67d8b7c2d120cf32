/** An object of a document, and where in the document it stands: "" or `items[3]`. */
export interface PlacedObject {
  readonly path: string;
  readonly value: unknown;
}

/**
 * The objects that a document holds: itself, or the items of a `List` (what `kubectl get -o yaml` writes) or of a `PodList` and
 * the like (what an API server answers, its items without kind and version). Lists inside lists are left as they are.
 */
export const expandList = (document: unknown): readonly PlacedObject[] => {
  const { kind, apiVersion, items } = (document ?? {}) as { kind?: unknown; apiVersion?: unknown; items?: unknown };
  if (typeof kind !== "string" || !kind.endsWith("List") || !Array.isArray(items)) {
    return [{ path: "", value: document }];
  }
  const itemKind = kind.slice(0, -"List".length);
  return items.map((item: unknown, index) => ({
    path: `items[${index}]`,
    value: itemKind === "" || !isObject(item) ? item : { kind: itemKind, apiVersion, ...item },
  }));
};

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
