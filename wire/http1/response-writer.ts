import type { Field } from "../field.ts";
import { members } from "./head-facts.ts";
import { isNamed } from "./characters.ts";
import { ContentWriter, type Sink } from "./content-writer.ts";
import { type ConnectionControl, DEFAULT_CONNECTION, encodeResponseHead } from "./encode-head.ts";
import { forwardedResponse } from "./forwarded.ts";
import { CHUNKED, type Framing, isBodiless, NO_CONTENT, TUNNEL, UNTIL_CLOSE } from "./framing.ts";
import { mayForwardRaw, type ReceivedResponseHead, type ResponseHead } from "./head.ts";
import type { HttpVersion } from "./http-version.ts";
import { Http1Error } from "./http1-error.ts";

/** What a response has to suit. A {@link ReceivedRequestHead} is one. */
export interface AnsweredRequest {
  readonly method: string;
  readonly version: HttpVersion;
  readonly isPersistent: boolean;
}

/**
 * The states of a connection on which responses are written.
 *
 *     idle      no request is being answered
 *     awaited   a request came; 1xx may be written, then the head
 *     content   the head was written
 *     closed    the last response was written: close the connection
 *     tunnel    101, or 2xx to CONNECT, was written: what follows is not HTTP/1
 */
type State = "idle" | "awaited" | "content" | "closed" | "tunnel";

/** Writes the responses of one connection, one after the other: the server's side. */
export class ResponseWriter {
  readonly #sink: Sink;
  readonly #content: ContentWriter;
  #state: State = "idle";
  #request: AnsweredRequest = { method: "GET", version: "1.1", isPersistent: true };
  #closes = false;

  constructor(sink: Sink) {
    this.#sink = sink;
    this.#content = new ContentWriter(sink);
  }

  get isIdle(): boolean {
    return this.#state === "idle";
  }

  /** The last response was written, and said so: nothing may follow it. */
  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** The last head opened a tunnel: what follows it is not written here. */
  get isTunnel(): boolean {
    return this.#state === "tunnel";
  }

  /** Begins the answer to a request. */
  answer(request: AnsweredRequest): void {
    this.#mustBe("idle", "an answer to a request");
    this.#request = request;
    this.#closes = !request.isPersistent;
    this.#state = "awaited";
  }

  /** The answer shall be the last on this connection: while it drains, and after bytes that could not be read. */
  closeAfter(): void {
    if (this.#state !== "awaited") throw new Http1Error("bad-order", "closeAfter when no head is to be written");
    this.#closes = true;
  }

  /** 100 to 199 without 101. An HTTP/1.0 client does not know them and gets none (RFC 9110 section 15.2). */
  writeInformational(head: ResponseHead): void {
    this.#mustBe("awaited", "an informational response");
    if (head.status >= 200 || head.status === 101)
      throw new Http1Error("bad-order", `${head.status} is not an informational response`);
    if (this.#request.version === "1.0") return;
    this.#sink(encodeResponseHead({ ...head, framing: NO_CONTENT }));
  }

  /** Forwards a head without changes: its very bytes where they may be forwarded and suit the client, else built anew. */
  forwardHead(head: ReceivedResponseHead): void {
    if (head.status < 200 && head.status !== 101) {
      this.writeInformational(forwardedResponse(head));
      return;
    }
    const isForModern = this.#request.version === "1.1" && !this.#closes;
    if (!mayForwardRaw(head) || !isForModern) {
      this.writeHead(forwardedResponse(head), upgradeProtocols(head.fields));
      return;
    }
    this.#mustBe("awaited", "a response");
    this.#begin(head.framing);
    this.#sink(head.raw);
  }

  /**
   * Writes a head; its framing is fitted to the client. What has no known length is chunked for HTTP/1.1, and lasts until the
   * close for HTTP/1.0. Framing "none" where content is possible is written as `Content-Length: 0`.
   * @param protocols to which a 101 switches.
   */
  writeHead(head: ResponseHead, protocols: readonly string[] = []): void {
    this.#mustBe("awaited", "a response");
    if (head.status < 200 && head.status !== 101)
      throw new Http1Error("bad-order", `${head.status} is not a final response`);
    const framing = this.#fittingFraming(head);
    const closes = this.#closes || framing.kind === "until-close";
    const bytes = encodeResponseHead(
      { ...head, framing: this.#announced(head, framing) },
      this.#control(head, closes, protocols),
    );
    this.#closes = closes;
    this.#begin(framing);
    this.#sink(bytes);
  }

  writeData(data: Uint8Array): void {
    this.#mustBe("content", "content");
    this.#content.write(data);
  }

  writeEnd(trailers: readonly Field[] = []): void {
    this.#mustBe("content", "an end");
    this.#content.end(trailers);
    this.#state = this.#closes ? "closed" : "idle";
  }

  #fittingFraming({ status, framing }: ResponseHead): Framing {
    const { method, version } = this.#request;
    if (status === 101 || (method === "CONNECT" && status >= 200 && status < 300)) return TUNNEL;
    if (framing.kind === "tunnel") throw new Http1Error("bad-order", `${status} to ${method} opens no tunnel`);
    if (method === "HEAD" || isBodiless(status)) return NO_CONTENT;
    if (framing.kind === "none") return { kind: "length", bytes: 0 };
    if (framing.kind === "length") return framing;
    return version === "1.1" ? CHUNKED : UNTIL_CLOSE;
  }

  /** An answer to HEAD tells the length that GET would have had. */
  #announced(head: ResponseHead, framing: Framing): Framing {
    const tellsLength = framing.kind === "none" && head.framing.kind === "length" && !isBodiless(head.status);
    return tellsLength ? head.framing : framing;
  }

  #control({ status }: ResponseHead, closes: boolean, protocols: readonly string[]): ConnectionControl {
    if (status === 101) return { kind: "upgrade", protocols };
    if (closes) return { kind: "close" };
    return this.#request.version === "1.0" ? { kind: "keep-alive" } : DEFAULT_CONNECTION;
  }

  #begin(framing: Framing): void {
    this.#content.begin(framing);
    this.#state = framing.kind === "tunnel" ? "tunnel" : "content";
  }

  #mustBe(state: State, what: string): void {
    if (this.#state !== state)
      throw new Http1Error("bad-order", `${what} is written in state "${this.#state}", not "${state}"`);
  }
}

const upgradeProtocols = (fields: readonly Field[]): readonly string[] =>
  fields.filter(({ name }) => isNamed(name, "upgrade")).flatMap(({ value }) => members(value));
