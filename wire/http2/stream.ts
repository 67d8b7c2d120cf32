import type { Field } from "../field.ts";
import type { ErrorCode } from "./error-code.ts";
import type { InboundMessage } from "./inbound-message.ts";
import type { ResponseHead } from "./message-rules.ts";
import { ReceiveWindow } from "./receive-window.ts";
import type { ByteQueue } from "../byte-queue.ts";
import type { StreamState } from "./stream-state.ts";

/** What happens on a stream. Called from within {@link Http2Connection.receive}, in the order of the wire. */
export interface StreamHandler {
  /** At the client: informational heads, then the final one. @param isEnd whether nothing follows; `end` is called all the same */
  response?(head: ResponseHead, isEnd: boolean): void;
  /**
   * @param bytes are lent: whoever wants them for longer than the call copies them. To be accounted for with
   *   {@link Http2Stream.consumed} as soon as they need no memory any more
   */
  data(bytes: Uint8Array): void;
  /** The peer has said everything. @param trailers if it sent any */
  end(trailers: readonly Field[] | undefined): void;
  /** Less than the threshold is queued again, after {@link Http2Stream.write} said no. */
  writable(): void;
  /** The stream is gone before both sides were done, whoever did it but {@link Http2Stream.reset}. Nothing follows. */
  reset(code: ErrorCode, reason: string): void;
  /** Both sides were done, and everything has gone out. Nothing follows. */
  closed?(): void;
}

/** One request and its answer, or one tunnel, as who uses it sees it. */
export interface Http2Stream {
  readonly id: number;
  readonly state: StreamState;
  /** Bytes that wait for the peer's window or for the connection. */
  readonly queuedBytes: number;
  /** Sends a head: of a response, or informational. @param section lower-case names, pseudo-fields first */
  sendHead(section: readonly Field[], endStream: boolean): void;
  /**
   * Sends bytes, or queues them.
   * @param bytes are copied
   * @returns whether more is welcome; if not, {@link StreamHandler.writable} says when
   */
  write(bytes: Uint8Array): boolean;
  /** Ends our direction, after what is queued. */
  end(trailers?: readonly Field[]): void;
  /** Breaks both directions off; what is queued is lost, and what was received needs not be consumed any more. */
  reset(code: ErrorCode): void;
  /** So many bytes of {@link StreamHandler.data} need no memory any more: the peer may send as many again. */
  consumed(bytes: number): void;
}

/** What a stream asks of its connection. */
export interface StreamOwner {
  sendHead(stream: StreamRecord, section: readonly Field[], endStream: boolean): void;
  write(stream: StreamRecord, bytes: Uint8Array): boolean;
  end(stream: StreamRecord, trailers: readonly Field[] | undefined): void;
  reset(stream: StreamRecord, code: ErrorCode): void;
  consumed(stream: StreamRecord, bytes: number): void;
}

/** A stream as its connection keeps it. */
export class StreamRecord implements Http2Stream {
  readonly id: number;
  readonly #owner: StreamOwner;
  /** Nobody until whoever takes the stream has said who: a handler needs the stream. */
  handler: StreamHandler = NOBODY;
  state: StreamState;
  /** What we may send; negative after the peer made its windows smaller (RFC 9113 section 6.9.2). */
  sendWindow: number;
  readonly receiveWindow: ReceiveWindow;
  /** Came, and was not consumed. */
  unconsumed = 0;
  /** What waits to be sent: bytes first, then the end. */
  queue: ByteQueue | undefined;
  ending: { readonly trailers: readonly Field[] | undefined } | undefined;
  wantsWritable = false;
  /** A reset is not answered with another (RFC 9113 section 5.4.2). */
  isResetByPeer = false;
  /** Of {@link StreamsById}: the next one in the same list. */
  next: StreamRecord | undefined;
  /** Of the request, whoever sent it. */
  readonly method: string | undefined;
  readonly inbound: InboundMessage = {
    hasHead: false,
    informational: 0,
    isTunnel: false,
    contentLength: undefined,
    received: 0,
  };

  constructor(
    id: number,
    method: string | undefined,
    sendWindow: number,
    receiveWindow: number,
    owner: StreamOwner,
    state: StreamState,
  ) {
    this.id = id;
    this.method = method;
    this.state = state;
    this.sendWindow = sendWindow;
    this.receiveWindow = new ReceiveWindow(receiveWindow);
    this.#owner = owner;
  }

  get queuedBytes(): number {
    return this.queue?.length ?? 0;
  }

  sendHead(section: readonly Field[], endStream: boolean): void {
    this.#owner.sendHead(this, section, endStream);
  }

  write(bytes: Uint8Array): boolean {
    return this.#owner.write(this, bytes);
  }

  end(trailers?: readonly Field[]): void {
    this.#owner.end(this, trailers);
  }

  reset(code: ErrorCode): void {
    this.#owner.reset(this, code);
  }

  consumed(bytes: number): void {
    this.#owner.consumed(this, bytes);
  }
}

export const NOBODY: StreamHandler = {
  data: () => undefined,
  end: () => undefined,
  writable: () => undefined,
  reset: () => undefined,
};
