import type { TunnelConnection } from "../../tunnel/tunnel.ts";

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

interface Group {
  readonly generation: number;
  readonly pooled: Set<Pooled>;
  dialing: Promise<void> | undefined;
}

/** Makes one tunnel connection. `onClosed` must be called when it is gone. */
export type DialTunnel = (onClosed: () => void) => Promise<TunnelConnection>;

/** The tunnel connections that one pod has to others. */
export class TunnelPool {
  readonly #groups = new Map<string, Group>();
  readonly #now: () => number;
  #isClosed = false;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * A connection with room for one more tunnel; the caller must open it at once. Callers that come while one is being made wait
   * for that one.
   * @throws whatever `dial` throws: to everybody who waited
   */
  async acquire(key: PoolKey, dial: DialTunnel): Promise<TunnelConnection> {
    const name = `${key.credentialGeneration}|${key.destinationUid}|${key.expectedIdentity}|${key.address}`;
    for (;;) {
      if (this.#isClosed) throw new Error("the pod is gone");
      const group = this.#group(name, key.credentialGeneration);
      for (const pooled of group.pooled) {
        if (pooled.connection.room === 0) continue;
        pooled.idleSince = undefined;
        return pooled.connection;
      }
      group.dialing ??= this.#dial(name, group, dial).finally(() => (group.dialing = undefined));
      await group.dialing;
    }
  }

  /** Connections made with older credentials end with their last tunnel. */
  retire(currentGeneration: number): void {
    for (const [name, group] of this.#groups) {
      if (group.generation === currentGeneration) continue;
      this.#groups.delete(name);
      for (const { connection } of group.pooled) connection.drain();
    }
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

  get connections(): number {
    return [...this.#groups.values()].reduce((sum, { pooled }) => sum + pooled.size, 0);
  }

  close(): void {
    this.#isClosed = true;
    for (const { pooled } of this.#groups.values()) {
      for (const { connection } of pooled) connection.destroy("the pod is gone");
    }
    this.#groups.clear();
  }

  #group(name: string, generation: number): Group {
    const group = this.#groups.get(name) ?? { generation, pooled: new Set<Pooled>(), dialing: undefined };
    this.#groups.set(name, group);
    return group;
  }

  async #dial(name: string, group: Group, dial: DialTunnel): Promise<void> {
    let pooled: Pooled | undefined;
    const forget = (): void => {
      if (pooled) group.pooled.delete(pooled);
      if (group.pooled.size === 0 && !group.dialing && this.#groups.get(name) === group) this.#groups.delete(name);
    };
    try {
      pooled = { connection: await dial(forget), idleSince: undefined };
      group.pooled.add(pooled);
      if (this.#isClosed) pooled.connection.destroy("the pod is gone");
      else if (this.#groups.get(name) !== group) pooled.connection.drain();
    } catch (error) {
      if (group.pooled.size === 0 && this.#groups.get(name) === group) this.#groups.delete(name);
      throw error;
    }
  }
}
