import type { Field } from "../field.ts";
import { CR, LF } from "./characters.ts";
import { ContentReader } from "./content-reader.ts";
import type { ReceivedRequestHead } from "./head.ts";
import { Http1Error } from "./http1-error.ts";
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "./http1-limits.ts";
import { parseRequestHead } from "./parse-request-head.ts";
import { type RequestRules, STRICT_REQUEST_RULES } from "./request-rules.ts";
import { SectionReader } from "./section-reader.ts";

/** For each request: its head, its data in pieces as they come, its end. Called from {@link RequestReader.read}. */
export interface RequestHandler {
  onHead(head: ReceivedRequestHead): void;
  /** A view on the chunk that was given to `read`: copy what is kept. */
  onData(data: Uint8Array): void;
  onEnd(trailers: readonly Field[]): void;
}

/**
 * The states of a connection on which requests come.
 *
 *     idle      between requests; empty lines are passed over
 *     head      a request line has begun
 *     content   the head was handed out, its content comes
 *     offered   the request was CONNECT or offered an upgrade: what follows is HTTP/1 only if the answer declines
 *     last      no request may follow, but empty lines: the client said `close`, or speaks HTTP/1.0 without keep-alive
 *     failed    a rule was broken; nothing can be read any more
 */
type State = "idle" | "head" | "content" | "offered" | "last" | "failed";
type Event = "first byte" | "head" | "end" | "end, offered" | "end, last" | "declined" | "declined, last" | "error";

/** Undefined: that cannot happen in this state. */
const nextState = (state: State, event: Event): State | undefined => {
  switch (event) {
    case "first byte":
      return state === "idle" ? "head" : undefined;
    case "head":
      return state === "head" ? "content" : undefined;
    case "end":
      return state === "content" ? "idle" : undefined;
    case "end, offered":
      return state === "content" ? "offered" : undefined;
    case "end, last":
      return state === "content" ? "last" : undefined;
    case "declined":
      return state === "offered" ? "idle" : undefined;
    case "declined, last":
      return state === "offered" ? "last" : undefined;
    case "error":
      return state === "offered" || state === "failed" ? undefined : "failed";
    default:
      return event satisfies never;
  }
};

/**
 * Reads the requests of one connection: the server's side. It keeps no bytes but an unfinished head, and stops after each
 * request, so that the caller decides when the next is read (pipelined requests are answered in order, H1-26).
 */
export class RequestReader {
  readonly #handler: RequestHandler;
  readonly #limits: Http1Limits;
  readonly #rules: RequestRules;
  readonly #head: SectionReader;
  readonly #content: ContentReader;
  readonly #onData: (data: Uint8Array) => void;
  #state: State = "idle";
  #emptyLineBytes = 0;
  #isPersistent = true;
  #isOffer = false;
  #failure: unknown;

  constructor(
    handler: RequestHandler,
    rules: RequestRules = STRICT_REQUEST_RULES,
    limits: Http1Limits = DEFAULT_HTTP1_LIMITS,
  ) {
    this.#handler = handler;
    this.#onData = (data) => handler.onData(data);
    this.#rules = rules;
    this.#limits = limits;
    this.#content = new ContentReader(limits, rules.underscores);
    this.#head = new SectionReader({
      what: "head",
      sectionBytes: limits.headBytes,
      startLineBytes: limits.startLineBytes,
      fields: limits.fields,
    });
  }

  /** Nothing of a request has come: the connection may be closed without loss. */
  get isIdle(): boolean {
    return this.#state === "idle";
  }

  /** No other request will be read: close when the answer is written. */
  get isLast(): boolean {
    return this.#state === "last" || this.#state === "failed";
  }

  /**
   * Reads until the end of a request or of the bytes. @returns how many bytes it took; the others are of the next request
   * (call again when it may be handed out), or, after CONNECT and an offered upgrade, of whatever the answer makes them:
   * bytes of the tunnel, or after {@link declineSwitch} of the next request.
   * @throws Http1Error for bytes that are no valid request, and from then on always.
   */
  read(bytes: Uint8Array): number {
    if (this.#state === "failed") throw this.#failure;
    try {
      return this.#read(bytes);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** The client has closed its side. @throws Http1Error when that is inside of a request, which must then be aborted (H1-23). */
  readEnd(): void {
    try {
      if (this.#state === "head")
        throw new Http1Error("truncated", "the connection ended inside of a request's head (RFC 9112 section 8)");
      if (this.#state === "content") this.#content.readEnd();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** The answer was neither 101 nor 2xx to CONNECT: HTTP/1 goes on. */
  declineSwitch(): void {
    this.#move(this.#isPersistent ? "declined" : "declined, last");
  }

  #read(bytes: Uint8Array): number {
    let at = 0;
    for (;;) {
      switch (this.#state) {
        case "idle":
          at = this.#passEmptyLines(bytes);
          if (at === bytes.length) return at;
          this.#move("first byte");
          break;
        case "head": {
          const end = this.#head.read(bytes, at);
          if (end < 0) return bytes.length;
          const section = this.#head.take(bytes, at, end);
          at = end;
          this.#beginRequest(parseRequestHead(section, this.#rules));
          break;
        }
        case "content":
          at = this.#content.read(bytes, at, this.#onData);
          if (this.#content.isDone) this.#endRequest();
          return at;
        case "offered":
          return 0;
        case "last":
          if (this.#passEmptyLines(bytes) === bytes.length) return bytes.length;
          throw new Http1Error(
            "bytes-after-last-message",
            "bytes after a request with Connection: close (RFC 9112 section 9.6)",
          );
        case "failed":
          throw this.#failure;
      }
    }
  }

  #beginRequest(head: ReceivedRequestHead): void {
    this.#emptyLineBytes = 0;
    this.#isPersistent = head.isPersistent;
    this.#isOffer = head.method === "CONNECT" || head.upgrade.length > 0;
    this.#content.begin(head.framing);
    this.#move("head");
    this.#handler.onHead(head);
  }

  #endRequest(): void {
    this.#move(this.#isOffer ? "end, offered" : this.#isPersistent ? "end" : "end, last");
    this.#handler.onEnd(this.#content.trailers);
  }

  /** RFC 9112 section 2.2: old clients send a CRLF after a body that did not count it. */
  #passEmptyLines(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length) {
      const isAfterCr = this.#emptyLineBytes % 2 === 1;
      if (isAfterCr && bytes[at] !== LF)
        throw new Http1Error("bad-line-end", "CR without LF before a request (RFC 9112 section 2.2)");
      if (!isAfterCr && bytes[at] !== CR) break;
      this.#emptyLineBytes += 1;
      at += 1;
      if (this.#emptyLineBytes > 2 * this.#limits.emptyLines)
        throw new Http1Error(
          "too-many-empty-lines",
          `more than ${this.#limits.emptyLines} empty lines before a request`,
        );
    }
    return at;
  }

  #fail(error: unknown): unknown {
    this.#failure = error;
    this.#move("error");
    return error;
  }

  #move(event: Event): void {
    const next = nextState(this.#state, event);
    if (next === undefined) throw new Error(`request reader: "${event}" cannot happen in state ${this.#state}`);
    this.#state = next;
  }
}
