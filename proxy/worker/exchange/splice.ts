import type { Duplex } from "node:stream";
import type { ByteStream } from "../../tunnel/tunnel.ts";

/** How a connection ended. `reset`: an end was broken off and the other was told so. */
export type SpliceEnd =
  | { readonly kind: "finished" }
  | { readonly kind: "reset"; readonly by: "client" | "server"; readonly reason: string }
  | { readonly kind: "idle" };

export interface SpliceEvents {
  /** Bytes that have been handed on, in the direction of the request or of the answer. */
  readonly sent: (direction: "request" | "response", bytes: number) => void;
  readonly ended: (end: SpliceEnd) => void;
}

/**
 * Joins two byte streams until both directions have ended. Each direction ends by itself (half-close), waits while its reader
 * is slow, and holds no more than one chunk beyond what the streams hold; an end that is broken off breaks off the other.
 * @param idleTimeoutMs ends both when nothing moved in either direction for so long
 */
export const splice = (client: ByteStream, server: ByteStream, idleTimeoutMs: number, events: SpliceEvents): void => {
  let isOver = false;
  let movedAt = performance.now();
  let idleTimer: NodeJS.Timeout | undefined;
  const finish = (end: SpliceEnd): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(idleTimer);
    if (end.kind !== "finished") for (const stream of [client, server]) stream.reset();
    events.ended(end);
  };
  const watchIdle = (): void => {
    const restMs = movedAt + idleTimeoutMs - performance.now();
    if (restMs <= 0) finish({ kind: "idle" });
    else idleTimer = setTimeout(watchIdle, restMs);
  };
  let openDirections = 2;
  const direction = (from: Duplex, to: Duplex, name: "request" | "response"): void => {
    carry(
      from,
      to,
      (bytes) => {
        movedAt = performance.now();
        events.sent(name, bytes);
      },
      () => {
        if (--openDirections === 0) finish({ kind: "finished" });
      },
    );
  };
  watchForReset(client.duplex, (reason) => finish({ kind: "reset", by: "client", reason }));
  watchForReset(server.duplex, (reason) => finish({ kind: "reset", by: "server", reason }));
  for (const [by, { duplex }] of Object.entries({ client, server } as const)) {
    if (duplex.destroyed)
      return finish({ kind: "reset", by: by as "client" | "server", reason: "gone before it began" });
  }
  direction(client.duplex, server.duplex, "request");
  direction(server.duplex, client.duplex, "response");
  watchIdle();
};

/** One direction: bytes as they come, then the end. `onEnd` runs when the end has been handed to the other side's transport. */
const carry = (from: Duplex, to: Duplex, onBytes: (bytes: number) => void, onEnd: () => void): void => {
  from.on("data", (chunk: Uint8Array) => {
    onBytes(chunk.length);
    if (!to.write(chunk)) {
      from.pause();
      to.once("drain", () => from.resume());
    }
  });
  from.once("end", () => to.end(onEnd));
  from.resume();
};

/** A stream that closes without having ended in both directions was broken off, with or without saying so. */
const watchForReset = (duplex: Duplex, onReset: (reason: string) => void): void => {
  let reason = "closed without an end";
  duplex.on("error", (error: NodeJS.ErrnoException) => (reason = error.code ?? error.message));
  duplex.once("close", () => {
    if (!duplex.readableEnded || !duplex.writableFinished) onReset(reason);
  });
};
