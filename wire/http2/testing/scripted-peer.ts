import type { Field } from "../../field.ts";
import { Http2Connection } from "../connection.ts";
import type { Http2Limits } from "../limits.ts";
import { PREFACE } from "../preface.ts";
import type { Http2Stream, StreamHandler } from "../stream.ts";
import { describeFrame, type Pairs, settings, type SentFrame, splitFrames } from "./raw-frames.ts";
import { TEST_LIMITS } from "./test-limits.ts";

export const section = (fields: Pairs): readonly Field[] =>
  fields.map(([name, value]) => ({ name, value, isNeverIndexed: false }));

export interface Script {
  readonly limits?: Http2Limits;
  /** What the handler of streams does beside writing down that it was called. */
  readonly onRequest?: (stream: Http2Stream) => void;
  readonly onResponse?: (stream: Http2Stream) => void;
  readonly onData?: (stream: Http2Stream, bytes: Uint8Array) => void;
  readonly onEnd?: (stream: Http2Stream) => void;
  readonly onWritable?: (stream: Http2Stream) => void;
  readonly onReset?: (stream: Http2Stream) => void;
  readonly onStreamClosed?: (stream: Http2Stream) => void;
  readonly onReady?: () => void;
  readonly isGreeted?: boolean;
}

/** One of our connections whose peer a test plays: it sends bytes, and sees the calls of handlers and the frames that answer. */
export class ScriptedPeer {
  readonly connection: Http2Connection;
  /** What the handlers were told, in order. */
  readonly calls: string[] = [];
  readonly streams = new Map<number, Http2Stream>();
  readonly #script: Script;
  nowMs = 0;
  wakes = 0;

  constructor(role: "client" | "server", script: Script = {}) {
    this.#script = script;
    this.connection = new Http2Connection(
      role,
      script.limits ?? TEST_LIMITS,
      {
        request: (stream, { method, path, authority }) => {
          this.calls.push(`request ${stream.id} ${method} ${authority} ${path}`);
          this.streams.set(stream.id, stream);
          script.onRequest?.(stream);
          return this.#handlerOf(stream);
        },
        ready: () => script.onReady?.(),
        goAway: ({ lastStreamId, code }) => this.calls.push(`goaway ${lastStreamId} ${code}`),
        pong: () => this.calls.push("pong"),
        streamClosed: (stream) => {
          this.calls.push(`closed ${stream.id}`);
          script.onStreamClosed?.(stream);
        },
        wake: () => void this.wakes++,
      },
      0,
    );
    const opening = this.connection.takeOutput();
    if (script.isGreeted === false) return;
    if (role === "server") this.send(PREFACE);
    this.send(settings());
    this.frames();
    if (opening.length === 0) throw new Error("the connection said nothing");
  }

  /** Plays bytes of the peer's. */
  send(...pieces: readonly Uint8Array[]): void {
    for (let rest = Buffer.concat(pieces); rest.length > 0;) {
      const lent = Buffer.from(rest);
      rest = rest.subarray(this.connection.receive(lent, this.nowMs));
      lent.fill(0xaa);
    }
  }

  /** Frames that the connection sent since the last call, as far as its streams may go on. */
  frames(): readonly SentFrame[] {
    const parts: Uint8Array[] = [];
    for (;;) {
      const some = this.connection.takeOutput();
      if (some.length === 0) return splitFrames(Buffer.concat(parts));
      parts.push(...some);
      this.connection.pump();
    }
  }

  /** The same as words. */
  sent(): readonly string[] {
    return this.frames().map(describeFrame);
  }

  /** At the client: opens a stream. */
  open(fields: Pairs, endStream = false): Http2Stream {
    const stream = this.connection.open(section(fields), endStream, (own) => this.#handlerOf(own));
    this.streams.set(stream.id, stream);
    return stream;
  }

  stream(id: number): Http2Stream {
    const stream = this.streams.get(id);
    if (!stream) throw new Error(`no stream ${id}`);
    return stream;
  }

  #handlerOf(stream: Http2Stream): StreamHandler {
    const { calls } = this;
    const script = this.#script;
    return {
      response: ({ status }) => {
        calls.push(`response ${stream.id} ${status}`);
        script.onResponse?.(stream);
      },
      data: (bytes) => {
        calls.push(`data ${stream.id} ${Buffer.from(bytes).toString("latin1")}`);
        script.onData?.(stream, bytes);
      },
      end: (trailers) => {
        calls.push(
          `end ${stream.id}${trailers ? ` ${trailers.map(({ name, value }) => `${name}=${value}`).join()}` : ""}`,
        );
        script.onEnd?.(stream);
      },
      writable: () => {
        calls.push(`writable ${stream.id}`);
        script.onWritable?.(stream);
      },
      reset: (code) => {
        calls.push(`reset ${stream.id} ${code}`);
        script.onReset?.(stream);
      },
    };
  }
}
