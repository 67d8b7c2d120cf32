import type { ByteStream } from "../../tunnel/byte-stream.ts";
import { type TunnelConnection, TunnelError, type TunnelRequest } from "../../tunnel/tunnel.ts";

/**
 * Whom a tunnel connection belongs to, and whom it reaches. The pod that calls is not in the key because each pod has a pool
 * of its own; its credentials are, because a connection made with older ones must not serve newer calls.
 */
export interface PoolKey {
  /** Grows with each change of the calling pod's certificate or of what it trusts. */
  readonly credentialGeneration: number;
  readonly destinationUid: string;
  readonly expectedIdentity: string;
  readonly address: string;
}

interface Pooled {
  readonly connection: TunnelConnection;
  /** On a clock that only goes forward; undefined while tunnels are open. */
  idleSince: number | undefined;
}

/** The connections of one key. */
interface Group {
  readonly name: string;
  readonly generation: number;
  readonly pooled: Set<Pooled>;
  dialing: Promise<void> | undefined;
  /** Calls of {@link TunnelPool.open} under way: they may still need a connection that is being made. */
  users: number;
  isRetired: boolean;
}

/** Makes one tunnel connection. `onClosed` must be called when it is gone. */
export type DialTunnel = (onClosed: () => void) => Promise<TunnelConnection>;

/** The tunnel connections that one pod has to others. */
export class TunnelPool {
  readonly #groups = new Map<string, Group>();
  /** All of them, also those that are retired. */
  readonly #connections = new Set<TunnelConnection>();
  readonly #now: () => number;
  #isClosed = false;
  #isDraining = false;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Opens a tunnel, through a connection that has room for it. Callers that come while one is being made wait for that one; each
   * takes its place in it at once, so that the next sees how much is left.
   * @throws whatever `dial` throws, to everybody who waited; TunnelError
   */
  async open(key: PoolKey, request: TunnelRequest, dial: DialTunnel): Promise<ByteStream> {
    const group = this.#group(key);
    group.users++;
    try {
      for (;;) {
        if (this.#isClosed) throw new Error("the pod is gone");
        const pooled = withRoom(group);
        if (pooled) {
          pooled.idleSince = undefined;
          return await pooled.connection.open(request);
        }
        group.dialing ??= this.#dial(group, dial).finally(() => (group.dialing = undefined));
        await group.dialing;
      }
    } finally {
      group.users--;
      this.#tidy(group);
    }
  }

  /**
   * Connections made with older credentials end with their last tunnel; one that is being made serves those who wait for it
   * before.
   */
  retire(currentGeneration: number): void {
    for (const group of this.#groups.values()) {
      if (group.generation !== currentGeneration) this.#retire(group);
    }
  }

  /** Every connection, also of those yet to be made, ends with its last tunnel. */
  drain(): void {
    this.#isDraining = true;
    for (const group of this.#groups.values()) this.#retire(group);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Closes what has been without a tunnel for `idleMs`. Call it now and then. */
  sweep(idleMs: number): void {
    for (const group of this.#groups.values()) {
      for (const pooled of group.pooled) {
        if (pooled.connection.openTunnels > 0) pooled.idleSince = undefined;
        else if (pooled.idleSince === undefined) pooled.idleSince = this.#now();
        else if (this.#now() - pooled.idleSince >= idleMs) pooled.connection.drain();
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.destroy("the pod is gone");
  }

  #group({ credentialGeneration: generation, destinationUid, expectedIdentity, address }: PoolKey): Group {
    const name = `${generation}|${destinationUid}|${expectedIdentity}|${address}`;
    const known = this.#groups.get(name);
    if (known) return known;
    const group: Group = { name, generation, pooled: new Set(), dialing: undefined, users: 0, isRetired: false };
    this.#groups.set(name, group);
    return group;
  }

  #retire(group: Group): void {
    this.#groups.delete(group.name);
    group.isRetired = true;
    for (const { connection } of group.pooled) connection.drain();
  }

  #tidy(group: Group): void {
    if (group.users > 0) return;
    if (group.isRetired || this.#isDraining) for (const { connection } of group.pooled) connection.drain();
    else if (group.pooled.size === 0) this.#groups.delete(group.name);
  }

  async #dial(group: Group, dial: DialTunnel): Promise<void> {
    let pooled: Pooled | undefined;
    let isLost = false;
    const connection = await dial(() => {
      isLost = true;
      if (pooled) group.pooled.delete(pooled);
      if (pooled) this.#connections.delete(pooled.connection);
      this.#tidy(group);
    });
    if (this.#isClosed) return connection.destroy("the pod is gone");
    if (isLost || connection.room === 0) {
      connection.drain();
      throw new TunnelError("broken", "the other end takes no tunnels");
    }
    pooled = { connection, idleSince: undefined };
    this.#connections.add(connection);
    group.pooled.add(pooled);
  }
}

const withRoom = ({ pooled }: Group): Pooled | undefined => {
  for (const one of pooled) if (one.connection.room > 0) return one;
  return undefined;
};
