import type { ObjectStatus } from "#mesh/admin/control-plane-status.ts";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import { ok, type Result } from "#mesh/result.ts";
import type { CollectedChange, ObjectSource } from "../collect/object-source.ts";
import { type Fields, objectMap } from "./objects.ts";

/** A source whose objects a test puts in and takes out. */
export class MemorySource implements ObjectSource {
  #listener: (change: CollectedChange) => void = () => {};
  #initial: ReadonlyMap<string, MeshObject>;

  constructor(...objects: readonly Fields[]) {
    this.#initial = objectMap(...objects);
  }

  start(listener: (change: CollectedChange) => void): Promise<Result<undefined, string>> {
    this.#listener = listener;
    this.#tell(this.#initial);
    return Promise.resolve(ok(undefined));
  }

  put(...objects: readonly Fields[]): void {
    this.#tell(objectMap(...objects));
  }

  /** @param keys as `Pod shop/web` */
  remove(...keys: readonly string[]): void {
    this.#tell(new Map(keys.map((key) => [key, undefined])));
  }

  statuses(): readonly ObjectStatus[] {
    return [];
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  #tell(objects: ReadonlyMap<string, MeshObject | undefined>): void {
    this.#listener(
      new Map([...objects].map(([key, object]) => [key, object && { declared: object, current: object }])),
    );
  }
}
