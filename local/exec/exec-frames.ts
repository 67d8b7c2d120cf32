import { err, ok, type Result } from "#mesh/result.ts";

/**
 * What runs over an exec connection once it is upgraded, in both directions:
 *
 *     u8 kind | u32 length, big endian | payload
 *
 * The client begins with `start` (an ExecStart as JSON), then sends `stdin` and at its end `stdin-end`. The runtime sends
 * `stdout` and `stderr`, and last `exit` (u32 code, big endian), or `error` (text) if the command could not be started.
 */
export interface ExecFrame {
  readonly kind: ExecFrameKind;
  readonly payload: Buffer;
}

export type ExecFrameKind = (typeof KINDS)[number];

/** What a client wants to be run. */
export interface ExecStart {
  readonly namespace: string;
  readonly pod: string;
  /** The pod's first container if none is named. */
  readonly container?: string;
  readonly command: readonly string[];
  readonly stdin: boolean;
  /** Set if it shall have a terminal. */
  readonly terminal?: { readonly rows: number; readonly columns: number; readonly term: string };
}

/** The value of the Upgrade header. */
export const EXEC_PROTOCOL = "heddle-exec";

/** Streams are cut into pieces far smaller than this; a longer frame is no frame. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;
const HEADER_BYTES = 5;

const KINDS = ["start", "stdin", "stdin-end", "stdout", "stderr", "exit", "error"] as const;

export const encodeFrame = (kind: ExecFrameKind, payload: Uint8Array | string = ""): Buffer => {
  const body = typeof payload === "string" ? Buffer.from(payload) : payload;
  const frame = Buffer.alloc(HEADER_BYTES + body.length);
  frame.writeUInt8(KINDS.indexOf(kind), 0);
  frame.writeUInt32BE(body.length, 1);
  frame.set(body, HEADER_BYTES);
  return frame;
};

export const exitFrame = (code: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return encodeFrame("exit", payload);
};

/** Cuts a stream of bytes into frames. */
export class ExecFrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  /** @returns the frames that are complete now, or what is wrong with the bytes. */
  push(chunk: Uint8Array): Result<readonly ExecFrame[], string> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const frames: ExecFrame[] = [];
    while (this.#rest.length >= HEADER_BYTES) {
      const kind = KINDS[this.#rest.readUInt8(0)];
      const length = this.#rest.readUInt32BE(1);
      if (kind === undefined || length > MAX_PAYLOAD_BYTES) return err("these are no frames of an exec connection");
      const end = HEADER_BYTES + length;
      if (this.#rest.length < end) break;
      frames.push({ kind, payload: this.#rest.subarray(HEADER_BYTES, end) });
      this.#rest = this.#rest.subarray(end);
    }
    return ok(frames);
  }
}

/** Reads the payload of a `start` frame. */
export const parseExecStart = (payload: Buffer): Result<ExecStart, string> => {
  try {
    const start = JSON.parse(payload.toString("utf8")) as ExecStart;
    const isComplete =
      typeof start.namespace === "string" &&
      typeof start.pod === "string" &&
      Array.isArray(start.command) &&
      start.command.length > 0;
    return isComplete ? ok(start) : err("a namespace, a pod and a command are needed");
  } catch {
    return err("the start frame is no JSON");
  }
};
