import type { ByteStream } from "../../tunnel/tunnel.ts";

/**
 * How a connection ended. `reset`: one end was broken off, and the other was told so. `idle`: nothing moved for too long.
 * `stopped`: we ended it.
 */
export type SpliceEnd =
  | { readonly kind: "finished" | "idle" | "stopped" }
  | { readonly kind: "reset"; readonly by: "client" | "server"; readonly reason: string };

export interface SpliceEvents {
  /** Bytes that have been handed on, in the direction of the request or of the answer. */
  readonly sent: (direction: "request" | "response", bytes: number) => void;
  /** Called once, after {@link splice} has returned. */
  readonly ended: (end: SpliceEnd) => void;
}

/** One of the two streams, and what has become of each of its directions. */
interface Side {
  readonly name: "client" | "server";
  readonly stream: ByteStream;
  /** It said everything that it had to say. */
  hasEnded: boolean;
  /** It was told that the other has ended, and has passed that on. */
  isToldEnd: boolean;
}

/**
 * Joins two byte streams until both directions have ended. Each direction ends by itself (half-close), waits while its reader
 * is slow, and holds no more than one chunk beyond what the streams hold; an end that is broken off breaks off the other.
 * @param idleTimeoutMs ends both when nothing moved in either direction for so long
 * @returns how to break both off
 */
export const splice = (
  client: ByteStream,
  server: ByteStream,
  idleTimeoutMs: number,
  events: SpliceEvents,
): (() => void) => {
  const [a, b] = [newSide("client", client), newSide("server", server)];
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
  const breakOff = ({ name }: Side, reason: string): void => finish({ kind: "reset", by: name, reason });
  const watchIdle = (): void => {
    const restMs = movedAt + idleTimeoutMs - performance.now();
    if (restMs <= 0) finish({ kind: "idle" });
    else idleTimer = setTimeout(watchIdle, restMs);
  };
  const onBytes = (direction: "request" | "response", bytes: number): void => {
    movedAt = performance.now();
    events.sent(direction, bytes);
  };
  const onEnd = (): void => {
    if (a.isToldEnd && b.isToldEnd) finish({ kind: "finished" });
  };
  for (const side of [a, b]) watchForReset(side, breakOff);
  const gone = [a, b].find(({ stream }) => stream.duplex.destroyed);
  if (gone) queueMicrotask(() => breakOff(gone, "gone before it began"));
  else {
    idleTimer = setTimeout(watchIdle, idleTimeoutMs);
    carry(a, b, (bytes) => onBytes("request", bytes), onEnd, breakOff);
    carry(b, a, (bytes) => onBytes("response", bytes), onEnd, breakOff);
  }
  return () => finish({ kind: "stopped" });
};

const newSide = (name: Side["name"], stream: ByteStream): Side => ({ name, stream, hasEnded: false, isToldEnd: false });

/** One direction: bytes as they come, then the end. */
const carry = (
  from: Side,
  to: Side,
  onBytes: (bytes: number) => void,
  onEnd: () => void,
  breakOff: (side: Side, reason: string) => void,
): void => {
  const [source, target] = [from.stream.duplex, to.stream.duplex];
  source.on("data", (chunk: Uint8Array) => {
    onBytes(chunk.length);
    if (target.write(chunk)) return;
    source.pause();
    target.once("drain", () => source.resume());
  });
  source.once("end", () => {
    if (from.stream.isBroken) return breakOff(from, BROKEN);
    from.hasEnded = true;
    target.end((error?: Error | null) => {
      if (error || to.stream.isBroken) return breakOff(to, error?.message ?? BROKEN);
      to.isToldEnd = true;
      onEnd();
    });
  });
  source.resume();
};

/**
 * A stream that fails was broken off, also after an end: a peer may end its direction and then reset the whole. So was one
 * that closes while either of its directions is still open, whether it says so or not.
 */
const watchForReset = (side: Side, breakOff: (side: Side, reason: string) => void): void => {
  const { duplex } = side.stream;
  duplex.on("error", (error: NodeJS.ErrnoException) => breakOff(side, error.code ?? error.message));
  duplex.once("close", () => {
    if (!side.hasEnded || !side.isToldEnd) breakOff(side, "closed without an end");
  });
};

const BROKEN = "broken off";
