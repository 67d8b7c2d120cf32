import type { HttpClientConnection, HttpClientHandler } from "../../http/message.ts";

/** Makes one connection. What happens on it has to be told, also that it takes no more than those who wait for it. */
export type DialHttp = (handler: HttpClientHandler) => Promise<HttpClientConnection>;

/** Where a pod has so many, another takes the place of the oldest that carries nothing. */
const MAX_KEPT = 1_000;

const POD_GONE = "the pod is gone";

/** The connections to one endpoint. */
interface Group {
  /** In HTTP/1.1 those that are free: the last that became so is taken first, and those that are not needed grow old. */
  readonly connections: HttpClientConnection[];
  dialing: Promise<HttpClientConnection> | undefined;
}

/**
 * The HTTP connections that a pod has to endpoints. In HTTP/1.1 each carries one request at a time, in HTTP/2 as many as the
 * endpoint allows: callers that come while the first is being made wait for it.
 */
export class HttpPool {
  readonly #groups = new Map<string, Group>();
  readonly #all = new Set<HttpClientConnection>();
  /** When a connection in HTTP/2 was seen without requests first. */
  readonly #idleSince = new WeakMap<HttpClientConnection, number>();
  readonly #now: () => number;
  #isDraining = false;
  #isClosed = false;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#all.size;
  }

  /**
   * A connection with room for a request, if there is one. It is to be used at once: one in HTTP/1.1 is not found again before it
   * is idle.
   * @param key says the endpoint and the version
   */
  find(key: string): HttpClientConnection | undefined {
    const connections = this.#groups.get(key)?.connections;
    if (!connections) return undefined;
    for (let at = connections.length - 1; at >= 0; at--) {
      const connection = connections[at];
      if (connection?.version === "1.1") connections.pop();
      if (connection && connection.room > 0) return connection;
    }
    return undefined;
  }

  /**
   * Makes a connection, or waits for the one that is being made where it may be shared. Those that waited together may have taken
   * all of its room when it is one's turn.
   * @throws what `dial` throws
   */
  async open(key: string, isShared: boolean, dial: DialHttp): Promise<HttpClientConnection> {
    if (!isShared) return this.#dial(key, dial);
    const group = this.#group(key);
    while (group.dialing) {
      const shared = await group.dialing;
      if (shared.room > 0) return shared;
    }
    const dialing = this.#dial(key, dial);
    group.dialing = dialing;
    try {
      return await dialing;
    } finally {
      group.dialing = undefined;
    }
  }

  /** Lets go of what has carried nothing for `idleMs`. Call it now and then. */
  sweep(idleMs: number): void {
    for (const connection of this.#all) {
      if (connection.open > 0) this.#idleSince.delete(connection);
      else if (this.#now() - this.#idleSince.getOrInsert(connection, this.#now()) >= idleMs) connection.drain();
    }
  }

  /** Every connection ends with what it is at. */
  drain(): void {
    this.#isDraining = true;
    for (const connection of this.#all) connection.drain();
  }

  close(): void {
    this.#isDraining = this.#isClosed = true;
    for (const connection of this.#all) connection.destroy(POD_GONE);
  }

  async #dial(key: string, dial: DialHttp): Promise<HttpClientConnection> {
    if (this.#all.size >= MAX_KEPT) this.#makeRoom();
    let connection: HttpClientConnection | undefined;
    let [isLeaving, isGone] = [false, false];
    const made = await dial({
      idle: () => {
        if (!connection) return;
        if ((this.#isDraining || isLeaving) && connection.open === 0) connection.drain();
        else if (connection.version === "1.1") this.#group(key).connections.push(connection);
      },
      leaving: () => {
        isLeaving = true;
        if (connection) this.#remove(key, connection);
      },
      closed: () => {
        isGone = true;
        if (!connection) return;
        this.#remove(key, connection);
        this.#all.delete(connection);
      },
    });
    connection = made;
    if (isGone) return made;
    this.#all.add(made);
    if (this.#isClosed) made.destroy(POD_GONE);
    // What still comes while it drains, or what carries the connection, has one of its own, which ends after it.
    const isShared = made.version === "2";
    if (isShared && !this.#isDraining && !isLeaving) this.#group(key).connections.push(made);
    return made;
  }

  #makeRoom(): void {
    for (const connection of this.#all) {
      if (connection.open > 0) continue;
      this.#all.delete(connection);
      return connection.drain();
    }
  }

  #remove(key: string, connection: HttpClientConnection): void {
    const group = this.#groups.get(key);
    if (!group) return;
    const at = group.connections.indexOf(connection);
    if (at >= 0) group.connections.splice(at, 1);
    if (group.connections.length === 0 && !group.dialing) this.#groups.delete(key);
  }

  #group(key: string): Group {
    return this.#groups.getOrInsertComputed(key, () => ({ connections: [], dialing: undefined }));
  }
}
