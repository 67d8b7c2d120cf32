import { isMeshKind } from "#mesh/objects/mesh-object.ts";

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
  return {
    kind: textOr(kind, "Object"),
    namespace: kind === "Namespace" ? "" : textOr(metadata?.namespace, defaultNamespaceOf(kind)),
    name: textOr(metadata?.name, fallback),
  };
};

/** Whether a kind that the mesh does not read lives in a namespace is not known here. */
const defaultNamespaceOf = (kind: unknown): string => (isMeshKind(kind) ? "default" : "");

const textOr = (value: unknown, fallback: string): string =>
  typeof value === "string" && value !== "" ? value.slice(0, 256) : fallback;
