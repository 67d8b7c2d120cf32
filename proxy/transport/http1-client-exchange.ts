import type { Field } from "#wire/field.ts";
import type { Http1ClientStream, Http1ResponseHandler } from "./http1-stream.ts";

/** What an exchange asks of its connection. */
export interface ExchangeOwner {
  /** How often something has left. */
  sends(): number;
  isCurrent(exchange: ClientExchange): boolean;
  write(exchange: ClientExchange, bytes: Uint8Array): boolean;
  end(exchange: ClientExchange, trailers: readonly Field[]): void;
  reset(reason: string): void;
  consumed(): void;
}

/** A request and its answer as the connection keeps it. */
export class ClientExchange implements Http1ClientStream {
  readonly #owner: ExchangeOwner;
  /** Before it began. */
  readonly #sendsBefore: number;
  handler: Http1ResponseHandler = NOBODY;
  isRequestDone = false;
  /** The final head came. */
  isAnswered = false;
  isResponseDone = false;
  isTunnel = false;
  unconsumed = 0;

  constructor(owner: ExchangeOwner, sends: number) {
    this.#owner = owner;
    this.#sendsBefore = sends;
  }

  get isUnsent(): boolean {
    return this.#owner.sends() === this.#sendsBefore;
  }

  write(bytes: Uint8Array): boolean {
    return !this.#owner.isCurrent(this) || this.isRequestDone || this.#owner.write(this, bytes);
  }

  end(trailers: readonly Field[] = []): void {
    if (this.#owner.isCurrent(this)) this.#owner.end(this, trailers);
  }

  reset(reason: string): void {
    if (this.#owner.isCurrent(this)) this.#owner.reset(reason);
  }

  consumed(bytes: number): void {
    this.unconsumed -= bytes;
    if (bytes > 0 && this.unconsumed === 0 && this.#owner.isCurrent(this)) this.#owner.consumed();
  }
}

const NOBODY: Http1ResponseHandler = {
  informational: () => undefined,
  head: () => undefined,
  data: () => undefined,
  end: () => undefined,
  writable: () => undefined,
  reset: () => undefined,
};
