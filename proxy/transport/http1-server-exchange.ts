import type { Field } from "#wire/field.ts";
import type { ReceivedRequestHead, ReceivedResponseHead, ResponseHead } from "#wire/http1/head.ts";
import { BUFFERED_BYTES } from "./http1-byte-stream.ts";
import type { Http1ServerStream, Http1StreamHandler } from "./http1-stream.ts";

/** What an exchange asks of its connection. */
export interface ExchangeOwner {
  isCurrent(exchange: ServerExchange): boolean;
  sendInformational(exchange: ServerExchange, head: ResponseHead): void;
  sendHead(exchange: ServerExchange, head: ResponseHead, protocols: readonly string[]): void;
  forwardHead(exchange: ServerExchange, head: ReceivedResponseHead): void;
  write(bytes: Uint8Array): boolean;
  end(exchange: ServerExchange, trailers: readonly Field[]): void;
  reset(reason: string): void;
  consumed(): void;
}

/** A request and its answer as the connection keeps it. */
export class ServerExchange implements Http1ServerStream {
  readonly #owner: ExchangeOwner;
  handler: Http1StreamHandler = NOBODY;
  /** It may become a tunnel. */
  readonly isOffer: boolean;
  readonly expectsContinue: boolean;
  hasContinued = false;
  isRequestDone = false;
  isAnswered = false;
  isResponseDone = false;
  isTunnelEnded = false;
  /** Came and was not consumed; after the answer: came and was thrown away. */
  unconsumed = 0;

  constructor(owner: ExchangeOwner, head: ReceivedRequestHead) {
    this.#owner = owner;
    this.isOffer = head.method === "CONNECT" || head.upgrade.length > 0;
    this.expectsContinue = head.expectsContinue;
  }

  /** Whether the handler has enough to do. */
  get isFull(): boolean {
    return !this.isDiscarding && this.unconsumed >= BUFFERED_BYTES;
  }

  /** It was answered before its end: nobody wants the rest. */
  get isDiscarding(): boolean {
    return this.isResponseDone && !this.isRequestDone;
  }

  sendInformational(head: ResponseHead): void {
    if (this.#owner.isCurrent(this)) this.#owner.sendInformational(this, head);
  }

  sendHead(head: ResponseHead, protocols: readonly string[] = []): void {
    if (this.#owner.isCurrent(this)) this.#owner.sendHead(this, head, protocols);
  }

  forwardHead(head: ReceivedResponseHead): void {
    if (this.#owner.isCurrent(this)) this.#owner.forwardHead(this, head);
  }

  write(bytes: Uint8Array): boolean {
    return !this.#owner.isCurrent(this) || this.isResponseDone || this.#owner.write(bytes);
  }

  end(trailers: readonly Field[] = []): void {
    if (this.#owner.isCurrent(this)) this.#owner.end(this, trailers);
  }

  reset(reason: string): void {
    if (this.#owner.isCurrent(this)) this.#owner.reset(reason);
  }

  consumed(bytes: number): void {
    const wasFull = this.isFull;
    if (!this.isDiscarding) this.unconsumed -= bytes;
    if (wasFull && !this.isFull && this.#owner.isCurrent(this)) this.#owner.consumed();
  }
}

const NOBODY: Http1StreamHandler = {
  data: () => undefined,
  end: () => undefined,
  writable: () => undefined,
  reset: () => undefined,
};
