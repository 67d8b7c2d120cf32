import type { Field } from "#wire/field.ts";
import type { ReceivedRequestHead } from "#wire/http1/head.ts";
import { Http1Error } from "#wire/http1/http1-error.ts";
import { BUFFERED_BYTES, type Http1ByteStream } from "./http1-byte-stream.ts";
import type { Http1ServerSettings } from "./http1-limits.ts";
import { type BytesAre, RequestIntake } from "./http1-request-intake.ts";
import { ServerAnswers } from "./http1-server-answers.ts";
import { ServerClock, type WaitsFor } from "./http1-server-clock.ts";
import { type ExchangeOwner, ServerExchange } from "./http1-server-exchange.ts";
import { failureText, type Http1Failure, type Http1ServerStream, type Http1StreamHandler } from "./http1-stream.ts";
import type { Carrier } from "./carrier.ts";
import { openHttp1ByteStream } from "./open-http1-byte-stream.ts";

/** What happens on a connection that clients opened. */
export interface Http1ServerHandler {
  /** A request, after every earlier one was answered. @returns who is told what follows */
  request(stream: Http1ServerStream, head: ReceivedRequestHead): Http1StreamHandler;
  /** Bytes that are no valid request: they were answered with the error's status, and the connection ends. To be counted. */
  refused(error: Http1Error): void;
  /** The connection is gone, and its request was told before. Called once. */
  closed(reason: string): void;
}

/**
 *     open      requests are read and answered one by one
 *     tunnel    a request has become a tunnel
 *     closing   our last word was said; what still comes is thrown away
 *     closed
 */
type Phase = "open" | "tunnel" | "closing" | "closed";

/**
 * Speaks HTTP/1 to a client over a stream of bytes. Requests are answered in order: the next is read when the last was
 * answered and the client has taken the answer (H1-26). What a handler throws comes out after the connection was aborted.
 */
export class Http1ServerConnection {
  readonly #stream: Http1ByteStream;
  readonly #settings: Http1ServerSettings;
  readonly #handler: Http1ServerHandler;
  readonly #intake: RequestIntake;
  readonly #answers: ServerAnswers;
  readonly #clock: ServerClock;
  #phase: Phase = "open";
  #exchange: ServerExchange | undefined;
  #isEnding = false;
  /** Set while a handler is called and left set when it throws: its errors are not the peer's. */
  #isTelling = false;

  constructor(carrier: Carrier, settings: Http1ServerSettings, handler: Http1ServerHandler) {
    this.#settings = settings;
    this.#handler = handler;
    this.#stream = openHttp1ByteStream(carrier, {
      data: (chunk) => this.#onData(chunk),
      ended: () => this.#onEnded(),
      writable: () => this.#onWritable(),
      blocked: () => this.#await("room"),
      finished: () => this.#onFinished(),
      gone: (reason) => this.#onGone(reason),
    });
    this.#answers = new ServerAnswers((bytes) => this.#stream.write(bytes));
    this.#intake = new RequestIntake(settings, {
      bytesAre: () => BYTES_ARE[this.#phase],
      mayRead: () => this.#mayRead(),
      head: (head) => this.#onHead(head),
      content: (data) => this.#onContent(data),
      end: (trailers) => this.#onRequestEnd(trailers),
      tunnelData: (chunk) => this.#onTunnelData(chunk),
      ended: () => this.#readEnd(),
      failed: (error) => this.#onReadFailure(error),
    });
    this.#clock = new ServerClock(settings.patience, () => this.#onTimeout());
  }

  /** Whether nothing is being answered or received. */
  get isIdle(): boolean {
    return this.#phase === "open" && this.#exchange === undefined && this.#intake.isIdle;
  }

  /**
   * No more requests: the answer that is not begun yet says so, and the connection ends after it. Between two requests the next
   * may be on its way, which an end would lose: there is a while for it.
   */
  drain(): void {
    if (this.#phase !== "open" || this.#answers.isDraining) return;
    this.#answers.isDraining = true;
    this.#clock.hurry();
  }

  /** The connection ends after what is being answered; a tunnel in both directions, as if its ends had ended it. */
  end(): void {
    this.drain();
    this.#isEnding = true;
    if (this.isIdle) this.#close();
    const exchange = this.#exchange;
    if (this.#phase !== "tunnel" || exchange === undefined) return;
    this.#endTunnel();
    this.#endResponse(exchange, []);
  }

  /** Ends the connection now; what is being answered is broken off. */
  destroy(reason: string): void {
    this.#stream.abort(reason);
  }

  // What the peer sends.

  #onData(chunk: Uint8Array): void {
    this.#intake.take(chunk);
    this.#watch();
  }

  /** The next request waits until the last was answered, and the answer has left. */
  #mayRead(): boolean {
    const exchange = this.#exchange;
    return exchange === undefined ? !this.#stream.isFull : !exchange.isRequestDone;
  }

  /** Goes on with what was held. */
  #resume(): void {
    if (this.#intake.isReading) return;
    this.#intake.resume();
    this.#watch();
  }

  #onEnded(): void {
    this.#intake.end();
    const isAnswering = this.#exchange?.isRequestDone === true;
    if (this.#phase === "tunnel") this.#endTunnel();
    else if (isAnswering && this.#settings.halfClose === "abort")
      this.#stream.abort("the client closed the connection");
    else if (this.#phase === "open" && this.#intake.heldBytes === 0) this.#readEnd();
    this.#watch();
  }

  /** An end between two requests is a good one, inside of a request it is an abort. */
  #readEnd(): void {
    if (this.#phase === "tunnel") this.#endTunnel();
    if (this.#phase !== "open") return;
    if (this.#exchange?.isRequestDone === true) return;
    try {
      this.#intake.readEnd();
      if (this.#exchange === undefined) this.#close();
    } catch (error) {
      this.#onReadFailure(error);
    }
  }

  #onHead(head: ReceivedRequestHead): void {
    const { method, version, isPersistent } = head;
    // No more of it: the answers of a connection that is idle hold on to it.
    this.#answers.begin({ method, version, isPersistent });
    const exchange = new ServerExchange(this.#exchangeOwner, head);
    this.#exchange = exchange;
    this.#clock.renew();
    this.#isTelling = true;
    exchange.handler = this.#handler.request(exchange, head);
    this.#isTelling = false;
  }

  #onContent(data: Uint8Array): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.unconsumed += data.length;
    if (exchange.isDiscarding) {
      // An answer was given before the content came: it is passed over up to a bound, so that the connection may stay.
      if (exchange.unconsumed > MAX_DISCARDED_BYTES) this.#close();
      return;
    }
    this.#isTelling = true;
    exchange.handler.data(data);
    this.#isTelling = false;
  }

  #onRequestEnd(trailers: readonly Field[]): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.isRequestDone = true;
    if (exchange.isOffer) {
      if (exchange.isAnswered && this.#phase === "open") this.#declineSwitch(exchange);
      return;
    }
    this.#endRequest(exchange, trailers);
  }

  #endRequest(exchange: ServerExchange, trailers: readonly Field[]): void {
    if (!exchange.isResponseDone) {
      this.#isTelling = true;
      exchange.handler.end(trailers);
      this.#isTelling = false;
    } else this.#finish(exchange);
  }

  #declineSwitch(exchange: ServerExchange): void {
    this.#intake.declineSwitch();
    this.#endRequest(exchange, []);
  }

  // What the handler answers.

  readonly #exchangeOwner: ExchangeOwner = {
    isCurrent: (exchange) => exchange === this.#exchange && (this.#phase === "open" || this.#phase === "tunnel"),
    sendInformational: (exchange, head) => this.#answers.writeInformational(exchange, head),
    sendHead: (exchange, head, protocols) => {
      this.#answers.writeHead(exchange, head, protocols);
      this.#afterHead(exchange);
    },
    forwardHead: (exchange, head) => {
      if (this.#answers.forwardHead(exchange, head)) this.#afterHead(exchange);
    },
    write: (bytes) => {
      if (this.#phase === "tunnel") this.#stream.write(bytes);
      else this.#answers.writeData(bytes);
      return !this.#stream.isFull;
    },
    end: (exchange, trailers) => this.#endResponse(exchange, trailers),
    reset: (reason) => {
      this.#exchange = undefined;
      this.#stream.abort(reason);
    },
    consumed: () => this.#watch(),
  };

  #afterHead(exchange: ServerExchange): void {
    exchange.isAnswered = true;
    if (this.#answers.isTunnel) {
      this.#phase = "tunnel";
      exchange.unconsumed = 0;
      this.#resume();
    } else if (exchange.isOffer && exchange.isRequestDone) this.#declineSwitch(exchange);
  }

  #endResponse(exchange: ServerExchange, trailers: readonly Field[]): void {
    if (exchange.isResponseDone) return;
    if (this.#phase === "tunnel") {
      exchange.isResponseDone = true;
      this.#stream.end();
      return;
    }
    try {
      this.#answers.writeEnd(trailers);
    } catch (error) {
      this.#exchange = undefined;
      this.#stream.abort("an answer was shorter than it said");
      throw error;
    }
    exchange.isResponseDone = true;
    exchange.unconsumed = 0;
    if (exchange.isRequestDone) this.#finish(exchange);
    else if (this.#answers.isLast) this.#close();
    this.#resume();
  }

  #finish(exchange: ServerExchange): void {
    this.#exchange = undefined;
    const isLast = this.#answers.isLast || this.#intake.isLast || this.#isEnding;
    if (isLast || this.#intake.isOver) this.#close();
    exchange.handler.closed?.();
  }

  // The tunnel.

  #onTunnelData(chunk: Uint8Array): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.unconsumed += chunk.length;
    exchange.handler.data(chunk);
    this.#watch();
  }

  #endTunnel(): void {
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.isTunnelEnded) return;
    exchange.isTunnelEnded = true;
    exchange.handler.end([]);
  }

  // Failures and ends.

  #onReadFailure(error: unknown): void {
    if (!(error instanceof Http1Error) || this.#isTelling) {
      throw error;
    }
    this.#handler.refused(error);
    this.#breakOff({ kind: "protocol", error }, error.status);
  }

  #onTimeout(): void {
    if (this.#phase === "closing" && this.#stream.isFinished) {
      this.#stream.destroy("it was not closed in time");
      return;
    }
    if (this.#phase === "closing" || this.#stream.isBlocked) {
      this.#stream.abort("the client does not read its answer");
      return;
    }
    const isInside = this.#exchange !== undefined || !this.#intake.isBetweenRequests;
    if (isInside) this.#breakOff({ kind: "timeout", message: "the client took too long to send its request" }, 408);
    else this.#close();
  }

  /** The request is over. It is answered if that has not begun, else the answer must not look complete (H1-23). */
  #breakOff(failure: Http1Failure, status: number): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange?.isAnswered === true && !exchange.isResponseDone) {
      this.#stream.abort(failureText(failure));
    } else {
      if (exchange?.isResponseDone !== true) this.#answers.refuse(exchange, status);
      this.#close();
    }
    exchange?.handler.reset(failure);
  }

  /** Ends our direction and waits for the client's, so that no RST overtakes the answer (RFC 9112 section 9.6). */
  #close(): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    this.#phase = "closing";
    this.#intake.drop();
    this.#stream.setReading(true);
    this.#stream.end();
    this.#clock.await("leaving");
  }

  /** The time to close begins when the client has had the chance to take all of it. */
  #onFinished(): void {
    if (this.#phase === "closing") this.#clock.await("close");
  }

  #onGone(reason: string): void {
    const exchange = this.#exchange;
    const isDone = this.#phase === "tunnel" && exchange?.isTunnelEnded === true && exchange.isResponseDone;
    this.#phase = "closed";
    this.#exchange = undefined;
    this.#clock.stop();
    try {
      if (isDone) exchange.handler.closed?.();
      else exchange?.handler.reset({ kind: "lost", message: reason });
    } finally {
      this.#handler.closed(reason);
    }
  }

  #onWritable(): void {
    const exchange = this.#exchange;
    if (exchange !== undefined && !exchange.isResponseDone) exchange.handler.writable();
    this.#resume();
  }

  /** Reads as much as may be kept, and knows for what it waits. */
  #watch(): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    const exchange = this.#exchange;
    const isFull = this.#intake.heldBytes >= BUFFERED_BYTES || exchange?.isFull === true;
    this.#stream.setReading(!isFull);
    if (this.#stream.isBlocked) return;
    if (exchange !== undefined) this.#watchExchange(exchange, isFull);
    else this.#await(this.#intake.isBetweenRequests ? "request" : "head");
  }

  #watchExchange(exchange: ServerExchange, isFull: boolean): void {
    const isOurTurn = isFull || this.#phase === "tunnel" || exchange.isRequestDone;
    if (!isOurTurn && !exchange.isResponseDone) this.#clock.renew();
    this.#await(isOurTurn ? "us" : exchange.isResponseDone ? "rest" : "content");
  }

  /** The time of a head runs from its first byte on, however many follow; that of content begins anew with each piece. */
  #await(what: WaitsFor): void {
    if (this.#clock.await(what) && what === "request") this.#stream.rest();
  }
}

/** How much of a request that was answered already is passed over before the connection is closed instead. */
const MAX_DISCARDED_BYTES = 256 * 1024;

const BYTES_ARE: Readonly<Record<Phase, BytesAre>> = {
  open: "requests",
  tunnel: "tunnel",
  closing: "nothing",
  closed: "nothing",
};
