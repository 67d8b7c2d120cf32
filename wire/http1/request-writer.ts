import type { Field } from "../field.ts";
import { ContentWriter, type Sink } from "./content-writer.ts";
import { type ConnectionControl, DEFAULT_CONNECTION, encodeAdded, encodeRequestHead } from "./encode-head.ts";
import { forwardedRequest } from "./forwarded.ts";
import { mayForwardRaw, type ReceivedRequestHead, type RequestHead } from "./head.ts";
import { Http1Error } from "./http1-error.ts";

/** Writes the requests of one connection, one after the other: the client's side. */
export class RequestWriter {
  readonly #sink: Sink;
  readonly #content: ContentWriter;
  #isIdle = true;

  constructor(sink: Sink) {
    this.#sink = sink;
    this.#content = new ContentWriter(sink);
  }

  /** The last request was written to its end. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  /**
   * Forwards a head without changes: its very bytes where they may be forwarded, else built anew.
   * @param offer the upgrades that the next hop is offered, from `head.upgrade`; tell the {@link ResponseReader} the same.
   * @param added fields that stand after its own; it must have none of these names
   */
  forwardHead(head: ReceivedRequestHead, offer: readonly string[] = [], added: readonly Field[] = []): void {
    if (mayForwardRaw(head)) {
      const lines = added.length === 0 ? undefined : encodeAdded(added);
      this.#begin(head);
      if (!lines) this.#sink(head.raw);
      else {
        // They stand before the empty line.
        this.#sink(head.raw.subarray(0, -2));
        this.#sink(lines);
      }
      return;
    }
    const forwarded = forwardedRequest(head);
    const control: ConnectionControl = offer.length > 0 ? { kind: "upgrade", protocols: offer } : DEFAULT_CONNECTION;
    this.writeHead({ ...forwarded, fields: [...forwarded.fields, ...added] }, control);
  }

  writeHead(head: RequestHead, control: ConnectionControl = DEFAULT_CONNECTION): void {
    const bytes = encodeRequestHead(head, control);
    this.#begin(head);
    this.#sink(bytes);
  }

  writeData(data: Uint8Array): void {
    this.#mustBeInside();
    this.#content.write(data);
  }

  writeEnd(trailers: readonly Field[] = []): void {
    this.#mustBeInside();
    this.#content.end(trailers);
    this.#isIdle = true;
  }

  #begin({ framing }: RequestHead): void {
    if (!this.#isIdle) throw new Http1Error("bad-order", "a request's head inside of another request");
    this.#isIdle = false;
    this.#content.begin(framing);
  }

  #mustBeInside(): void {
    if (this.#isIdle) throw new Http1Error("bad-order", "content of a request that has no head");
  }
}
