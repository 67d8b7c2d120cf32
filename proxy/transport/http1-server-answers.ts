import type { Field } from "#wire/field.ts";
import { field, type ReceivedResponseHead, type ResponseHead } from "#wire/http1/head.ts";
import { type AnsweredRequest, ResponseWriter } from "#wire/http1/response-writer.ts";
import type { ServerExchange } from "./http1-server-exchange.ts";

/** Writes the answers of one connection, each to the request before it, and says with the last that it is. */
export class ServerAnswers {
  readonly #writer: ResponseWriter;
  /** Whether the answer that is not begun yet shall be the last. */
  isDraining = false;

  /** @param write must not change the bytes, nor let them be changed */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#writer = new ResponseWriter(write);
  }

  /** The last answer said that nothing follows it. */
  get isLast(): boolean {
    return this.#writer.isClosed;
  }

  /** The last answer opened a tunnel. */
  get isTunnel(): boolean {
    return this.#writer.isTunnel;
  }

  begin(request: AnsweredRequest): void {
    this.#writer.answer(request);
  }

  writeInformational(exchange: ServerExchange, head: ResponseHead): void {
    if (head.status === 100) exchange.hasContinued = true;
    this.#writer.writeInformational(head);
  }

  writeHead(exchange: ServerExchange, head: ResponseHead, protocols: readonly string[]): void {
    this.#beforeHead(exchange);
    this.#writer.writeHead(head, protocols);
  }

  /** @returns whether it was the final head */
  forwardHead(exchange: ServerExchange, head: ReceivedResponseHead): boolean {
    const isFinal = head.status >= 200 || head.status === 101;
    if (isFinal) this.#beforeHead(exchange);
    else if (head.status === 100) exchange.hasContinued = true;
    this.#writer.forwardHead(head);
    return isFinal;
  }

  /** @throws Http1Error when it is more than the head has announced */
  writeData(bytes: Uint8Array): void {
    this.#writer.writeData(bytes);
  }

  /** @throws Http1Error when it is less than the head has announced */
  writeEnd(trailers: readonly Field[]): void {
    this.#writer.writeEnd(trailers);
  }

  /**
   * Answers what went wrong, as the last.
   * @param exchange undefined when nobody knows what was asked
   */
  refuse(exchange: ServerExchange | undefined, status: number): void {
    if (exchange === undefined) this.#writer.answer({ method: "GET", version: "1.1", isPersistent: false });
    this.#writer.closeAfter();
    const fields = [field("Content-Length", "0")];
    const framing = { kind: "length", bytes: 0 } as const;
    this.#writer.writeHead({ status, reason: REASONS[status] ?? "Bad Request", version: "1.1", fields, framing });
    this.#writer.writeEnd();
  }

  /**
   * Whether content follows a client that waited for 100 and gets its answer instead is known to the client alone: the
   * connection ends (RFC 9110 section 10.1.1).
   */
  #beforeHead(exchange: ServerExchange): void {
    const isAwaiting = exchange.expectsContinue && !exchange.hasContinued && !exchange.isRequestDone;
    if (!exchange.isAnswered && (isAwaiting || this.isDraining)) this.#writer.closeAfter();
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  505: "HTTP Version Not Supported",
};
