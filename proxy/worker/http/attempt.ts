import type { Field } from "#wire/field.ts";
import { ERROR_CODE } from "#wire/http2/error-code.ts";
import type { HttpFailure, HttpResponse, HttpResponseReader, HttpWriter } from "../../http/message.ts";

/** Who has a request sent, and is told what comes of it as long as the attempt is not over. */
export interface AttemptOwner {
  informational(head: HttpResponse): void;
  head(attempt: Attempt, head: HttpResponse): void;
  content(writer: HttpWriter, bytes: Uint8Array): void;
  responseEnd(attempt: Attempt, trailers: readonly Field[]): void;
  /** The endpoint takes more of the request. */
  writableToServer(): void;
  /** It broke off. Nothing follows. */
  broken(failure: HttpFailure): void;
  /** It took longer than it may, and was cancelled. */
  late(ms: number): void;
}

/** One time that a request is sent. */
export class Attempt implements HttpResponseReader {
  readonly #owner: AttemptOwner;
  /** Once it is connected. */
  writer: HttpWriter | undefined;
  isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(owner: AttemptOwner) {
    this.#owner = owner;
  }

  /** It may take so long, to the end of the response. */
  watch(ms: number): void {
    this.#timer = setTimeout(() => {
      this.cancel(`no whole answer within ${ms} ms`);
      this.#owner.late(ms);
    }, ms);
  }

  stopTimer(): void {
    if (this.#timer) clearTimeout(this.#timer);
  }

  /** Nothing is told any more. */
  cancel(reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stopTimer();
    this.writer?.reset(ERROR_CODE.cancel, reason);
  }

  informational(head: HttpResponse): void {
    if (!this.isOver) this.#owner.informational(head);
  }

  head(head: HttpResponse): void {
    if (!this.isOver) this.#owner.head(this, head);
  }

  data(bytes: Uint8Array): void {
    if (!this.isOver && this.writer) this.#owner.content(this.writer, bytes);
  }

  end(trailers: readonly Field[]): void {
    if (this.isOver) return;
    this.stopTimer();
    this.#owner.responseEnd(this, trailers);
  }

  writable(): void {
    if (!this.isOver) this.#owner.writableToServer();
  }

  reset(failure: HttpFailure): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stopTimer();
    this.#owner.broken(failure);
  }
}
