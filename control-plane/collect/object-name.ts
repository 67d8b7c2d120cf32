/** What an object calls itself, as far as it says. */
export interface ObjectName {
  readonly kind: string;
  /** Empty for objects that live in no namespace. */
  readonly namespace: string;
  readonly name: string;
}

/**
 * The name of an object that nobody has checked yet, so that a broken one can be told from others.
 * @param fallback stands for a name that is missing
 */
export const objectNameOf = (value: unknown, fallback: string): ObjectName => {
  const { kind, metadata } = (value ?? {}) as { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } };
  const isNamespace = kind === "Namespace";
  return {
    kind: textOr(kind, "Object"),
    namespace: isNamespace ? "" : textOr(metadata?.namespace, "default"),
    name: textOr(metadata?.name, fallback),
  };
};

const textOr = (value: unknown, fallback: string): string =>
  typeof value === "string" && value !== "" ? value.slice(0, 256) : fallback;
