import type { Field } from "#wire/field.ts";
import type { ReceivedRequestHead, ReceivedResponseHead, RequestHead } from "#wire/http1/head.ts";
import { DEFAULT_CONNECTION } from "#wire/http1/encode-head.ts";
import { Http1Error } from "#wire/http1/http1-error.ts";
import { RequestWriter } from "#wire/http1/request-writer.ts";
import { ResponseReader } from "#wire/http1/response-reader.ts";
import type { Http1ByteStream } from "./http1-byte-stream.ts";
import { ClientExchange, type ExchangeOwner } from "./http1-client-exchange.ts";
import { Deadline } from "./http1-deadline.ts";
import type { Http1ClientSettings } from "./http1-limits.ts";
import { failureText, type Http1ClientStream, type Http1Failure, type Http1ResponseHandler } from "./http1-stream.ts";
import type { Carrier } from "./carrier.ts";
import { openHttp1ByteStream } from "./open-http1-byte-stream.ts";

/** What happens on a connection to a server. */
export interface Http1ClientHandler {
  /** An exchange is over, and the connection is good for another. */
  idle(): void;
  /** The connection is gone, and its exchange was told before. Called once. */
  closed(reason: string): void;
  /** Asked before the first byte of a request leaves: whether the server has ended the connection, as far as anybody knows. */
  hasEnded?(): boolean;
}

/**
 *     open      requests are sent, one at a time
 *     tunnel    a request has become a tunnel
 *     closed    nothing more is said; the stream may still be closing
 */
type Phase = "open" | "tunnel" | "closed";

/**
 * Speaks HTTP/1 to a server over a stream of bytes. It reads also while no answer is awaited: bytes that nobody asked for end
 * the connection before they become somebody's answer (H1-32), and so does an end; until a byte of a request has left, nobody
 * has asked. What a handler throws comes out after the connection was aborted.
 */
export class Http1ClientConnection {
  readonly #stream: Http1ByteStream;
  readonly #settings: Http1ClientSettings;
  readonly #handler: Http1ClientHandler;
  readonly #reader: ResponseReader;
  readonly #writer: RequestWriter;
  readonly #deadline = new Deadline(() => this.#onTimeout());
  #phase: Phase = "open";
  #exchange: ClientExchange | undefined;
  #exchanges = 0;
  #isReading = false;
  /** Set while a handler is called and left set when it throws: its errors are not the peer's. */
  #isTelling = false;

  constructor(carrier: Carrier, settings: Http1ClientSettings, handler: Http1ClientHandler) {
    this.#settings = settings;
    this.#handler = handler;
    this.#stream = openHttp1ByteStream(carrier, {
      data: (chunk) => this.#onData(chunk),
      ended: () => this.#onEnded(),
      writable: () => this.#onWritable(),
      blocked: () => this.#deadline.set(settings.patience.contentIdleMs),
      mayLeave: () => this.#mayLeave(),
      gone: (reason) => this.#onGone(reason),
    });
    this.#writer = new RequestWriter((bytes) => this.#stream.write(bytes));
    this.#reader = new ResponseReader(
      {
        onInformational: (head) => this.#tell((handler) => handler.informational(head)),
        onHead: (head) => this.#onHead(head),
        onData: (data) => this.#onContent(data),
        onEnd: (trailers) => this.#onResponseEnd(trailers),
      },
      settings.limits,
    );
    this.#deadline.set(settings.patience.keepAliveMs);
  }

  /** Whether a request may be sent now: the last exchange is over, and both sides let another follow. */
  get isFree(): boolean {
    const isIdle = this.#exchange === undefined && !this.#isReading;
    return isIdle && this.#phase === "open" && this.#reader.isIdle && this.#writer.isIdle;
  }

  /** How many requests were sent. One that is lost on a used connection before any answer may have met its end: retry it. */
  get exchanges(): number {
    return this.#exchanges;
  }

  /**
   * Sends a request.
   * @param offer protocols to which it offers to switch
   * @throws Error when the connection is not {@link isFree}, Http1Error for a head that cannot be written; then it stays free
   */
  open(
    head: RequestHead,
    offer: readonly string[],
    makeHandler: (stream: Http1ClientStream) => Http1ResponseHandler,
  ): Http1ClientStream {
    this.#mustBeFree();
    this.#writer.writeHead(head, offer.length > 0 ? { kind: "upgrade", protocols: offer } : DEFAULT_CONNECTION);
    return this.#begin(head.method, offer, makeHandler);
  }

  /**
   * Sends a request whose head was received from a client: its very bytes where they suit.
   * @param added fields that it gets besides, and has none of
   */
  forward(
    head: ReceivedRequestHead,
    offer: readonly string[],
    makeHandler: (stream: Http1ClientStream) => Http1ResponseHandler,
    added: readonly Field[] = [],
  ): Http1ClientStream {
    this.#mustBeFree();
    this.#writer.forwardHead(head, offer, added);
    return this.#begin(head.method, offer, makeHandler);
  }

  /** Ends the connection now; an exchange is broken off. */
  destroy(reason: string): void {
    if (this.#exchange === undefined) this.#stream.destroy(reason);
    else this.#stream.abort(reason);
  }

  #mustBeFree(): void {
    if (!this.isFree) throw new Error("a request on a connection that is not free");
  }

  #begin(
    method: string,
    offer: readonly string[],
    makeHandler: (stream: Http1ClientStream) => Http1ResponseHandler,
  ): Http1ClientStream {
    this.#reader.await({ method, upgrade: offer });
    this.#deadline.clear();
    this.#exchanges += 1;
    const exchange = new ClientExchange(this.#exchangeOwner, this.#stream.sends);
    this.#exchange = exchange;
    exchange.handler = makeHandler(exchange);
    return exchange;
  }

  // What the server sends.

  #onData(chunk: Uint8Array): void {
    if (this.#phase === "closed") return;
    if (this.#exchange?.isUnsent === true) return this.#breakOff(unsent("the server spoke before it was asked"));
    let rest = chunk;
    this.#isReading = true;
    try {
      while (rest.length > 0 && this.#phase === "open") rest = rest.subarray(this.#reader.read(rest));
    } catch (error) {
      this.#onReadFailure(error);
      return;
    } finally {
      this.#isReading = false;
    }
    if (this.#phase === "tunnel" && rest.length > 0) this.#onContent(rest);
    this.#watch();
    this.#settle();
  }

  #onEnded(): void {
    if (this.#phase === "tunnel") {
      const exchange = this.#exchange;
      if (exchange !== undefined) exchange.isResponseDone = true;
      this.#tell((handler) => handler.end([]));
      return;
    }
    if (this.#phase === "closed") return;
    if (this.#exchange?.isUnsent === true) return this.#breakOff(unsent("the server closed the connection"));
    try {
      this.#reader.readEnd();
    } catch (error) {
      this.#onReadFailure(error);
      return;
    }
    this.#phase = "closed";
    this.#stream.destroy("the server closed the connection");
  }

  /** A request that would meet its connection's end has not been sent, and can be sent on another. */
  #mayLeave(): boolean {
    if (this.#exchange?.isUnsent !== true || this.#handler.hasEnded?.() !== true) return true;
    this.#breakOff(unsent("the server closed the connection"));
    return false;
  }

  #onHead(head: ReceivedResponseHead): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.isAnswered = true;
    if (head.framing.kind === "tunnel") {
      this.#phase = "tunnel";
      exchange.isTunnel = true;
      exchange.isRequestDone = false;
    }
    this.#tell((handler) => handler.head(head));
  }

  #onContent(data: Uint8Array): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.unconsumed += data.length;
    this.#isTelling = true;
    exchange.handler.data(data);
    this.#isTelling = false;
  }

  #onResponseEnd(trailers: readonly Field[]): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.isResponseDone = true;
    this.#tell((handler) => handler.end(trailers));
    if (exchange !== this.#exchange) return;
    this.#exchange = undefined;
    exchange.handler.closed?.();
  }

  /**
   * After everything was read that came together: what follows an answer in one chunk is nobody's. An answer before the end of
   * its request leaves the connection closed: what is left of the request is not sent, and nothing can follow it (H1-31).
   */
  #settle(): void {
    if (this.#exchange !== undefined) return;
    if (this.isFree) {
      this.#stream.setReading(true);
      this.#stream.rest();
      this.#deadline.set(this.#settings.patience.keepAliveMs);
      this.#handler.idle();
    } else {
      this.#phase = "closed";
      this.#stream.destroy("the connection serves no further request");
    }
  }

  #onWritable(): void {
    const exchange = this.#exchange;
    if (exchange !== undefined && !exchange.isRequestDone) exchange.handler.writable();
    this.#watch();
  }

  // What the user does.

  readonly #exchangeOwner: ExchangeOwner = {
    isCurrent: (exchange) => exchange === this.#exchange,
    sends: () => this.#stream.sends,
    write: (exchange, bytes) => {
      if (exchange.isTunnel) this.#stream.write(bytes);
      else this.#writer.writeData(bytes);
      return !this.#stream.isFull;
    },
    end: (exchange, trailers) => this.#endRequest(exchange, trailers),
    reset: (reason) => {
      this.#exchange = undefined;
      this.#phase = "closed";
      this.#stream.abort(reason);
    },
    consumed: () => this.#watch(),
  };

  #endRequest(exchange: ClientExchange, trailers: readonly Field[]): void {
    if (exchange.isRequestDone) return;
    if (exchange.isTunnel) this.#stream.end();
    else {
      try {
        // A switch closes the message by itself; until then a request with an offer has no other end than this.
        this.#writer.writeEnd(trailers);
        this.#stream.rest();
      } catch (error) {
        this.#exchangeOwner.reset("a request was shorter than it said");
        throw error;
      }
    }
    exchange.isRequestDone = true;
    this.#watch();
  }

  // Failures and ends.

  #onReadFailure(error: unknown): void {
    if (!(error instanceof Http1Error) || this.#isTelling) throw error;
    this.#breakOff({ kind: "protocol", error });
  }

  #onTimeout(): void {
    const message = this.#stream.isBlocked
      ? "the server does not take the request"
      : this.#exchange === undefined
        ? "idle for too long"
        : "the server stopped in the middle of its answer";
    this.#breakOff({ kind: "timeout", message });
  }

  #breakOff(failure: Http1Failure): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#phase = "closed";
    if (exchange === undefined) this.#stream.destroy(failureText(failure));
    else this.#stream.abort(failureText(failure));
    exchange?.handler.reset(failure);
  }

  #onGone(reason: string): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#phase = "closed";
    this.#deadline.stop();
    try {
      if (exchange?.isTunnel === true && exchange.isResponseDone && exchange.isRequestDone) exchange.handler.closed?.();
      else exchange?.handler.reset(exchange.isUnsent ? unsent(reason) : { kind: "lost", message: reason });
    } finally {
      this.#handler.closed(reason);
    }
  }

  #tell(call: (handler: Http1ResponseHandler) => void): void {
    if (this.#exchange === undefined) return;
    this.#isTelling = true;
    call(this.#exchange.handler);
    this.#isTelling = false;
  }

  /** Reads as much as may be kept, and knows for what it waits: how long a head may take is not this connection's to say. */
  #watch(): void {
    const exchange = this.#exchange;
    if (exchange === undefined || this.#phase === "closed") return;
    // Whoever does not hand an answer on was told to wait: there is nothing to be read for it meanwhile.
    const isWaiting = exchange.unconsumed > 0;
    this.#stream.setReading(!isWaiting);
    if (this.#stream.isBlocked) return;
    if (isWaiting || exchange.isTunnel || !exchange.isAnswered) this.#deadline.clear();
    else this.#deadline.set(this.#settings.patience.contentIdleMs);
  }
}

const unsent = (message: string): Http1Failure => ({ kind: "unsent", message });
