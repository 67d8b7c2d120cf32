import type { Field } from "#wire/field.ts";
import { ERROR_CODE, type ErrorCode } from "#wire/http2/error-code.ts";
import type {
  HeadChanges,
  HttpClientConnection,
  HttpRequest,
  HttpResponseReader,
  HttpWriter,
} from "../../http/message.ts";
import type { MeshError } from "./mesh-error.ts";

/** As much of a copy waits, in bytes, for an endpoint that is slower than the request's own; beyond it the copy is given up. */
const MAX_WAITING_BYTES = 64 * 1024;
/** What a piece that waits costs at least, in bytes: content may come byte by byte. */
const MIN_PIECE_BYTES = 128;
/** From a request's end: an endpoint that has not answered by then holds a connection for nobody. */
const MAX_ANSWER_MS = 30_000;
/** How often others may have taken the room of a connection that was waited for. */
const MAX_CROWDED = 32;

export interface CopyPlan {
  readonly request: HttpRequest;
  readonly changes: HeadChanges;
  readonly connect: () => HttpClientConnection | MeshError | Promise<HttpClientConnection | MeshError>;
  /** Called once, maybe before the constructor returns. */
  readonly onOver: () => void;
  /** What should not have been thrown was. The copy was ended. */
  readonly onMistake: (error: unknown) => void;
}

/**
 * A copy of a request on its way. It is written to like the request itself, never says no, and never throws: whatever happens to
 * it, the request goes on. Its response is read and thrown away.
 */
export class RequestCopy implements HttpWriter {
  readonly #plan: CopyPlan;
  #writer: HttpWriter | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isFull = false;
  #crowded = 0;
  /** All of it has come, and all of it was sent on. */
  #hasEnded = false;
  #isSent = false;
  #trailers: readonly Field[] = [];
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(plan: CopyPlan) {
    this.#plan = plan;
    // Nobody has to say so: where the request itself fails at once, nobody does.
    if (!plan.request.hasContent) this.end([]);
    this.#connect();
  }

  // The request, as it comes.

  write(bytes: Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#waitingBytes += Math.max(bytes.length, MIN_PIECE_BYTES);
    if (this.#waitingBytes > MAX_WAITING_BYTES && (this.#isFull || !this.#writer)) {
      this.reset(ERROR_CODE.cancel, "the mirror is too slow");
      return true;
    }
    this.#waiting.push(Buffer.from(bytes));
    this.#send();
    return true;
  }

  end(trailers: readonly Field[]): void {
    if (this.#isOver || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#trailers = trailers;
    this.#timer = setTimeout(() => this.reset(ERROR_CODE.cancel, "the mirror takes too long"), MAX_ANSWER_MS).unref();
    this.#send();
  }

  reset(code: ErrorCode, reason: string): void {
    if (this.#isOver) return;
    this.#over();
    this.#writer?.reset(code, reason);
  }

  consumed(): void {
    // It has no content of its own.
  }

  // Its endpoint.

  #connect(): void {
    try {
      const made = this.#plan.connect();
      if (made instanceof Promise) {
        made.then((connection) => this.#connected(connection)).catch((error: unknown) => this.#mistake(error));
      } else this.#connected(made);
    } catch (error) {
      this.#mistake(error);
    }
  }

  #connected(made: HttpClientConnection | MeshError): void {
    if (this.#isOver) return;
    if ("code" in made) return this.#over();
    if (made.room === 0 && this.#crowded < MAX_CROWDED) {
      this.#crowded += 1;
      return this.#connect();
    }
    const { request, changes } = this.#plan;
    try {
      this.#writer = made.request(request, changes, this.#reader);
    } catch {
      // It cannot be said in this version of HTTP, or the connection has just ended.
      return this.#over();
    }
    this.#send();
  }

  /** What is told of the response, which nobody wants: its end is the copy's. */
  readonly #reader: HttpResponseReader = {
    informational: () => undefined,
    head: () => undefined,
    data: (bytes) => this.#writer?.consumed(bytes.length),
    writable: () => {
      this.#isFull = false;
      this.#send();
    },
    end: () => {
      if (this.#isSent) this.#over();
      else this.reset(ERROR_CODE.cancel, "it was answered before its end");
    },
    reset: () => this.#over(),
  };

  #send(): void {
    const writer = this.#writer;
    if (!writer || this.#isOver || this.#isFull) return;
    const waiting = this.#waiting;
    try {
      let sent = 0;
      for (const bytes of waiting) {
        sent++;
        this.#isFull = !writer.write(bytes);
        if (this.#isFull) break;
      }
      this.#keepFrom(sent);
      if (this.#waiting.length > 0 || !this.#hasEnded || this.#isSent) return;
      this.#isSent = true;
      writer.end(this.#trailers);
    } catch {
      // Trailers that HTTP/1 cannot have, for example.
      this.reset(ERROR_CODE.cancel, "it cannot be sent on");
    }
  }

  #keepFrom(index: number): void {
    this.#waiting = this.#waiting.slice(index);
    this.#waitingBytes = this.#waiting.reduce((sum, { length }) => sum + Math.max(length, MIN_PIECE_BYTES), 0);
  }

  #mistake(error: unknown): void {
    this.reset(ERROR_CODE.cancel, "a mistake of the proxy's");
    this.#plan.onMistake(error);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    clearTimeout(this.#timer);
    this.#plan.onOver();
  }
}
