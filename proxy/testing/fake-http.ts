import type { Field } from "#wire/field.ts";
import { field } from "#wire/http1/head.ts";
import type { ErrorCode } from "#wire/http2/error-code.ts";
import type {
  HeadChanges,
  HttpAnswer,
  HttpClientConnection,
  HttpFailure,
  HttpRequest,
  HttpResponse,
  HttpResponseReader,
  HttpWriter,
} from "../http/message.ts";

/** For tests: a request. */
export const httpRequest = (changes: Partial<HttpRequest> = {}): HttpRequest => ({
  version: "1.1",
  method: "GET",
  scheme: "http",
  authority: "web.shop",
  target: "/",
  fields: [],
  hasContent: false,
  contentLength: undefined,
  upgrade: [],
  received: undefined,
  ...changes,
});

/** For tests: a response. */
export const httpResponse = (status = 200, changes: Partial<HttpResponse> = {}): HttpResponse => ({
  status,
  fields: [],
  isEnd: false,
  contentLength: undefined,
  upgrade: [],
  received: undefined,
  ...changes,
});

export const fieldsOf = (values: Readonly<Record<string, string>>): readonly Field[] =>
  Object.entries(values).map(([name, value]) => field(name, value));

/** For tests: one way of a message, of which everything is written down. It breaks where a real one would. */
export class FakeWriter implements HttpWriter {
  readonly said: string[] = [];
  /** Whether what is written finds room. */
  isWelcome = true;
  isUnsent = false;
  consumedBytes = 0;
  hasEnded = false;
  isReset = false;
  #content = "";

  /** All content that was written. */
  get content(): string {
    return this.#content;
  }

  write(bytes: Uint8Array): boolean {
    if (this.isReset) return true;
    if (this.hasEnded) throw new Error("written to after its end");
    this.#content += Buffer.from(bytes).toString("latin1");
    return this.isWelcome;
  }

  end(trailers: readonly Field[]): void {
    if (this.isReset || this.hasEnded) return;
    this.hasEnded = true;
    this.said.push(["end", ...trailers.map(({ name, value }) => `${name}=${value}`)].join(" "));
  }

  reset(code: ErrorCode): void {
    if (this.isReset) return;
    this.isReset = true;
    this.said.push(`reset ${code}`);
  }

  consumed(bytes: number): void {
    this.consumedBytes += bytes;
  }
}

/** For tests: the answer to a request. */
export class FakeAnswer extends FakeWriter implements HttpAnswer {
  isAnswered = false;
  readonly heads: HttpResponse[] = [];

  informational(head: HttpResponse): void {
    if (this.isAnswered) throw new Error("an informational head after the final one");
    this.said.push(String(head.status));
  }

  head(head: HttpResponse): void {
    if (this.isReset) return;
    if (this.isAnswered) throw new Error("a second head");
    this.isAnswered = true;
    this.heads.push(head);
    this.said.push(String(head.status));
  }
}

/** For tests: a request that reached an endpoint. */
export class FakeExchange extends FakeWriter {
  readonly reader: HttpResponseReader;
  readonly request: HttpRequest;
  readonly changes: HeadChanges;

  constructor(request: HttpRequest, changes: HeadChanges, reader: HttpResponseReader) {
    super();
    this.request = request;
    this.changes = changes;
    this.reader = reader;
  }

  /** The endpoint answers, as far as it goes. */
  answers(status: number, content?: string, trailers: Readonly<Record<string, string>> = {}): void {
    this.reader.head(httpResponse(status));
    if (content !== undefined) this.reader.data(Buffer.from(content));
    this.reader.end(fieldsOf(trailers));
  }

  breaks(kind: HttpFailure["kind"] = "lost", code?: ErrorCode): void {
    this.reader.reset({ kind, message: "it is gone", code });
  }
}

/** For tests: a connection to an endpoint. */
export class FakeConnection implements HttpClientConnection {
  readonly exchanges: FakeExchange[] = [];
  readonly version: "1.1" | "2";
  room = 1;
  isDrained = false;
  destroyed: string | undefined;
  /** Set on every exchange to come. */
  isUnsent = false;
  /** What taking a request throws. */
  error: Error | undefined;

  constructor(version: "1.1" | "2" = "1.1") {
    this.version = version;
  }

  get open(): number {
    return this.exchanges.filter(({ isReset, hasEnded }) => !isReset && !hasEnded).length;
  }

  get last(): FakeExchange {
    const last = this.exchanges.at(-1);
    if (!last) throw new Error("no request has come");
    return last;
  }

  request(request: HttpRequest, changes: HeadChanges, reader: HttpResponseReader): HttpWriter {
    if (this.error) throw this.error;
    const exchange = new FakeExchange(request, changes, reader);
    exchange.isUnsent = this.isUnsent;
    this.exchanges.push(exchange);
    return exchange;
  }

  drain(): void {
    this.isDrained = true;
  }

  destroy(reason: string): void {
    this.destroyed = reason;
  }
}
