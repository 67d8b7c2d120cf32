import type { Field } from "../field.ts";
import { ContentReader } from "./content-reader.ts";
import type { ReceivedResponseHead } from "./head.ts";
import { Http1Error } from "./http1-error.ts";
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "./http1-limits.ts";
import { type AwaitedResponse, parseResponseHead } from "./parse-response-head.ts";
import { SectionReader } from "./section-reader.ts";

/** For each response: any 1xx, its head, its data in pieces as they come, its end. Called from {@link ResponseReader.read}. */
export interface ResponseHandler {
  /** 100 to 199 without 101; the final head is still to come. */
  onInformational(head: ReceivedResponseHead): void;
  /** When its framing is "tunnel", no end follows: the connection's bytes are not HTTP/1 any more. */
  onHead(head: ReceivedResponseHead): void;
  /** A view on the chunk that was given to `read`: copy what is kept. */
  onData(data: Uint8Array): void;
  onEnd(trailers: readonly Field[]): void;
}

/**
 * The states of a connection on which responses come.
 *
 *     idle      no response is awaited: bytes now are nobody's answer
 *     head      a response is awaited or its head has begun; a 1xx stays here
 *     content   the final head was handed out, its content comes
 *     tunnel    101, or 2xx to CONNECT: bytes are not ours any more
 *     last      the response was the last: the server said `close`, or only the close ended it
 *     failed    a rule was broken; nothing can be read any more
 */
type State = "idle" | "head" | "content" | "tunnel" | "last" | "failed";
type Event = "awaited" | "informational" | "head" | "switch" | "end" | "end, last" | "error";

/** Undefined: that cannot happen in this state. */
const nextState = (state: State, event: Event): State | undefined => {
  switch (event) {
    case "awaited":
      return state === "idle" ? "head" : undefined;
    case "informational":
      return state === "head" ? "head" : undefined;
    case "head":
      return state === "head" ? "content" : undefined;
    case "switch":
      return state === "head" ? "tunnel" : undefined;
    case "end":
      return state === "content" ? "idle" : undefined;
    case "end, last":
      return state === "content" ? "last" : undefined;
    case "error":
      return state === "tunnel" || state === "failed" ? undefined : "failed";
    default:
      return event satisfies never;
  }
};

/**
 * Reads the responses of one connection: the client's side, one request at a time.
 *
 * What the owner of the connection has to see to:
 * - A response may end before its request has (H1-31). The connection is good for another request only when this reader and
 *   the {@link RequestWriter} are both idle after `onEnd`; else it is closed.
 * - It reads while the connection waits in a pool, and gives what comes to {@link read}: bytes that nobody asked for are an
 *   error, and the connection is thrown away before they become somebody's answer (H1-32).
 * - After any error the client gets 502 if its answer has not begun, else an abort; the connection is closed (H1-29).
 */
export class ResponseReader {
  readonly #handler: ResponseHandler;
  readonly #limits: Http1Limits;
  readonly #head: SectionReader;
  readonly #content: ContentReader;
  readonly #onData: (data: Uint8Array) => void;
  #state: State = "idle";
  #awaited: AwaitedResponse = { method: "GET", upgrade: [] };
  #informational = 0;
  #isPersistent = true;
  #failure: unknown;

  constructor(handler: ResponseHandler, limits: Http1Limits = DEFAULT_HTTP1_LIMITS) {
    this.#handler = handler;
    this.#onData = (data) => handler.onData(data);
    this.#limits = limits;
    this.#content = new ContentReader(limits, "accept");
    this.#head = new SectionReader({
      what: "head",
      sectionBytes: limits.headBytes,
      startLineBytes: limits.startLineBytes,
      fields: limits.fields,
    });
  }

  /** No response is awaited and another request may be sent. */
  get isIdle(): boolean {
    return this.#state === "idle";
  }

  /** A request is being sent: what comes now answers it. Call it before the request's first byte is written. */
  await(request: AwaitedResponse): void {
    this.#move("awaited");
    this.#awaited = request;
    this.#informational = 0;
  }

  /**
   * Reads until the end of a response or of the bytes. @returns how many bytes it took. Bytes that are left after a head with
   * framing "tunnel" are the tunnel's; others break the rules: give them to the next call to be told so.
   * @throws Http1Error of status 502, and from then on always.
   */
  read(bytes: Uint8Array): number {
    if (this.#state === "failed") throw this.#failure;
    try {
      return this.#read(bytes);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** The server has closed its side, which ends what lasts until then. @throws Http1Error when a response is cut short by it. */
  readEnd(): void {
    try {
      if (this.#state === "head")
        throw new Http1Error("truncated", "the connection ended before the response's head (RFC 9112 section 8)");
      if (this.#state !== "content") return;
      this.#content.readEnd();
      this.#endResponse();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #read(bytes: Uint8Array): number {
    let at = 0;
    for (;;) {
      switch (this.#state) {
        case "idle":
        case "last":
          if (bytes.length === 0) return 0;
          throw unsolicited(this.#state);
        case "head": {
          const end = this.#head.read(bytes, at);
          if (end < 0) return bytes.length;
          const section = this.#head.take(bytes, at, end);
          at = end;
          this.#beginResponse(parseResponseHead(section, this.#awaited));
          break;
        }
        case "content":
          at = this.#content.read(bytes, at, this.#onData);
          if (this.#content.isDone) this.#endResponse();
          return at;
        case "tunnel":
          return at;
        case "failed":
          throw this.#failure;
      }
    }
  }

  #beginResponse(head: ReceivedResponseHead): void {
    if (head.status < 200 && head.status !== 101) {
      this.#countInformational();
      this.#move("informational");
      this.#handler.onInformational(head);
      return;
    }
    this.#isPersistent = head.isPersistent;
    this.#content.begin(head.framing);
    this.#move(head.framing.kind === "tunnel" ? "switch" : "head");
    this.#handler.onHead(head);
  }

  #countInformational(): void {
    this.#informational += 1;
    const limit = this.#limits.informationalResponses;
    if (this.#informational > limit)
      throw new Http1Error(
        "too-many-informational-responses",
        `more than ${limit} informational responses to one request`,
      );
  }

  #endResponse(): void {
    this.#move(this.#isPersistent ? "end" : "end, last");
    this.#handler.onEnd(this.#content.trailers);
  }

  #fail(error: unknown): unknown {
    this.#failure = error instanceof Http1Error ? error.asBadGateway() : error;
    this.#move("error");
    return this.#failure;
  }

  #move(event: Event): void {
    const next = nextState(this.#state, event);
    if (next === undefined) throw new Error(`response reader: "${event}" cannot happen in state ${this.#state}`);
    this.#state = next;
  }
}

const unsolicited = (state: "idle" | "last"): Http1Error =>
  state === "idle"
    ? new Http1Error("unsolicited-response", "bytes from a server that was asked for nothing (RFC 9112 section 9.2)")
    : new Http1Error(
        "bytes-after-last-message",
        "bytes after a response with Connection: close (RFC 9112 section 9.6)",
        502,
      );
