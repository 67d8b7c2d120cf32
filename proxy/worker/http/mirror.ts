import type { ForwardDecision, ServiceTarget } from "#mesh/routes/decide-http-route.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import type { Field } from "#wire/field.ts";
import { ERROR_CODE, type ErrorCode } from "#wire/http2/error-code.ts";
import type {
  HeadChanges,
  HttpClientConnection,
  HttpRequest,
  HttpResponseReader,
  HttpWriter,
} from "../../http/message.ts";
import { backendOf } from "./backend-of.ts";
import { type Caller, EndpointAttempts } from "./endpoint-attempts.ts";
import type { MeshError } from "./mesh-error.ts";

/** As much of a copy waits, in bytes, for an endpoint that is slower than the request's own; beyond it the copy is given up. */
const MAX_WAITING_BYTES = 64 * 1024;
/** A mirror that has not answered by then has lost its copy: nobody else would ever end it. */
const PATIENCE_MS = 30_000;
/** Copies of one pod that are under way at a time; what is mirrored beyond them gets none. */
const MAX_COPIES = 256;

const underWay = new WeakMap<Caller["pod"], number>();

/**
 * Copies of a request, each to one endpoint of a mirror's Service. What they come to is nobody's: their responses are read and
 * thrown away, and a copy that fails or is slow does not hold the request up (Gateway API, HTTPRequestMirrorFilter).
 */
export const mirrored = (
  caller: Caller,
  snapshot: Snapshot,
  request: HttpRequest,
  changes: HeadChanges,
  { mirrors }: ForwardDecision,
  traceId: string,
): readonly HttpWriter[] =>
  // A connection that becomes another protocol's cannot be copied.
  request.upgrade.length > 0
    ? []
    : mirrors.flatMap((target) => {
        const copy = mirror(caller, snapshot, request, changes, target, traceId);
        return copy ? [copy] : [];
      });

const mirror = (
  caller: Caller,
  snapshot: Snapshot,
  request: HttpRequest,
  changes: HeadChanges,
  target: ServiceTarget,
  traceId: string,
): HttpWriter | undefined => {
  const destination = backendOf(snapshot, target, caller.captured.destination);
  if ("code" in destination || (underWay.get(caller.pod) ?? 0) >= MAX_COPIES) return undefined;
  const record = { traceId, between: () => undefined, noteEndpoint: () => undefined };
  const way = { record, destination, decision: undefined, facts: undefined, session: undefined };
  return new Copy(caller, request, changes, new EndpointAttempts(caller, request, way));
};

/** One copy on its way. */
export class Copy implements HttpWriter {
  readonly #caller: Caller;
  readonly #timer: NodeJS.Timeout;
  readonly #request: HttpRequest;
  readonly #changes: HeadChanges;
  #writer: HttpWriter | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isFull = false;
  #hasEnded = false;
  #trailers: readonly Field[] = [];
  #isOver = false;

  constructor(caller: Caller, request: HttpRequest, changes: HeadChanges, attempts: Pick<EndpointAttempts, "connect">) {
    this.#caller = caller;
    this.#request = request;
    this.#changes = changes;
    this.#timer = setTimeout(() => this.reset(ERROR_CODE.cancel, "the mirror did not answer in time"), PATIENCE_MS);
    underWay.set(caller.pod, (underWay.get(caller.pod) ?? 0) + 1);
    Promise.resolve(attempts.connect()).then(
      (made) => this.#connected(made),
      (error: unknown) => {
        this.#over();
        if (!caller.pod.isGone) caller.mesh.onMistake(caller.pod, error);
      },
    );
  }

  // The request, as it comes.

  write(bytes: Uint8Array): boolean {
    if (!this.#isOver) this.#take(bytes);
    // Nobody waits for it.
    return true;
  }

  end(trailers: readonly Field[]): void {
    this.#hasEnded = true;
    this.#trailers = trailers;
    if (this.#waitingBytes === 0) this.#end();
  }

  reset(code: ErrorCode, reason: string): void {
    this.#writer?.reset(code, reason);
    this.#over();
  }

  consumed(): void {
    // It has no content of its own.
  }

  #connected(made: HttpClientConnection | MeshError): void {
    if (this.#isOver) return;
    if ("code" in made) return this.#over();
    try {
      this.#writer = made.request(this.#request, this.#changes, this.#reader);
      this.#send();
    } catch {
      this.#over();
    }
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
      if (!this.#hasEnded) this.#writer?.reset(ERROR_CODE.cancel, "it was answered before its end");
      this.#over();
    },
    reset: () => this.#over(),
  };

  #take(bytes: Uint8Array): void {
    if (this.#writer && !this.#isFull) this.#isFull = !this.#writer.write(bytes);
    else this.#keep(bytes);
  }

  #keep(bytes: Uint8Array): void {
    this.#waiting.push(Buffer.from(bytes));
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.reset(ERROR_CODE.cancel, "the mirror is too slow");
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const bytes of waiting) this.#take(bytes);
    if (this.#hasEnded && this.#waitingBytes === 0) this.#end();
  }

  #end(): void {
    try {
      this.#writer?.end(this.#trailers);
    } catch {
      this.#over();
    }
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#waitingBytes = 0;
    underWay.set(this.#caller.pod, (underWay.get(this.#caller.pod) ?? 1) - 1);
  }
}
