import { isMeshKind, type MeshObject, readMeshObject } from "#mesh/objects/mesh-object.ts";
import { object, read, required, text } from "#mesh/objects/reader.ts";
import type { ObjectReading } from "./read-file-objects.ts";

/** What every Kubernetes object has. */
const anyObject = object({
  apiVersion: required(text),
  kind: required(text),
  metadata: required(object({ name: required(text) })),
});

/**
 * Reads an object as somebody declared it. Kinds that do not concern the mesh are ignored, and said to be; but they must be
 * objects, or the first half of a file would pass for one of a kind called `Serv`.
 */
export const readDeclaredObject = (value: unknown): ObjectReading<MeshObject> => {
  const named = read(anyObject, value);
  if (!named.ok) return { kind: "refused", problems: named.error };
  const { kind } = named.value;
  if (!isMeshKind(kind)) return { kind: "ignored", reason: `ignored: the mesh does not read objects of kind ${kind}` };
  const found = readMeshObject(value);
  return found.ok ? { kind: "object", item: found.value } : { kind: "refused", problems: found.error };
};
