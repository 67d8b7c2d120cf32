import type { ObjectStatus } from "#mesh/admin/control-plane-status.ts";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import type { Result } from "#mesh/result.ts";

/** An object as it was declared, and as it stands with what was assigned to it. */
export interface CollectedObject {
  readonly declared: MeshObject;
  readonly current: MeshObject;
}

/** Objects that changed, by key. Undefined: gone. */
export type CollectedChange = ReadonlyMap<string, CollectedObject | undefined>;

/** Where the mesh's objects come from. */
export interface ObjectSource {
  /**
   * Resolves when everything that was there at the start has been told to the listener; or with the reason why nothing can be
   * known, which must not be taken for a mesh without objects.
   */
  start(listener: (change: CollectedChange) => void): Promise<Result<undefined, string>>;
  /** What is to be said of each object; warnings of later stages are not in it. */
  statuses(): readonly ObjectStatus[];
  stop(): Promise<void>;
}
