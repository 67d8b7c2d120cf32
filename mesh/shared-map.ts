/**
 * An immutable map that shares what did not change with the map it was made from. A new version copies only the shards that
 * a change falls into, so that a hundred thousand entries are not copied because one endpoint moved.
 */
export interface SharedMap<Key extends string, Value> {
  readonly shards: readonly ReadonlyMap<Key, Value>[];
  readonly size: number;
}

/** A power of two; 10,000 entries give 40 a shard. */
const SHARD_COUNT = 256;

const EMPTY: SharedMap<string, never> = {
  shards: Array.from({ length: SHARD_COUNT }, () => new Map<string, never>()),
  size: 0,
};

export const emptySharedMap = <Key extends string, Value>(): SharedMap<Key, Value> =>
  EMPTY as SharedMap<string, unknown> as SharedMap<Key, Value>;

export const sharedGet = <Key extends string, Value>(map: SharedMap<Key, Value>, key: Key): Value | undefined =>
  map.size === 0 ? undefined : map.shards[shardOf(key)]?.get(key);

/** A new map with `changes` applied; undefined removes the key. */
export const sharedWith = <Key extends string, Value>(
  map: SharedMap<Key, Value>,
  changes: Iterable<readonly [Key, Value | undefined]>,
): SharedMap<Key, Value> => {
  const shards = [...map.shards];
  const copies = new Map<number, Map<Key, Value>>();
  let size = map.size;
  for (const [key, value] of changes) {
    const index = shardOf(key);
    const shard = copies.get(index) ?? new Map(shards[index]);
    copies.set(index, shard);
    shards[index] = shard;
    size -= shard.size;
    if (value === undefined) shard.delete(key);
    else shard.set(key, value);
    size += shard.size;
  }
  return copies.size === 0 ? map : { shards, size };
};

export const sharedValues = function* <Key extends string, Value>(map: SharedMap<Key, Value>): Generator<Value> {
  for (const shard of map.shards) yield* shard.values();
};

/** FNV-1a. Keys come from the control plane, not from peers, so that nobody chooses them to collide. */
const shardOf = (key: string): number => {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 16)) & (SHARD_COUNT - 1);
};
