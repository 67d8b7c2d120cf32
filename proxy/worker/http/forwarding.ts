import { type AttemptEnd, shouldRetry } from "#mesh/routes/retry.ts";
import { fieldValue } from "#mesh/routes/field.ts";
import type { Field } from "#wire/field.ts";
import { Http1Error } from "#wire/http1/http1-error.ts";
import { ERROR_CODE, type ErrorCode } from "#wire/http2/error-code.ts";
import type {
  HttpAnswer,
  HttpClientConnection,
  HttpFailure,
  HttpReader,
  HttpResponse,
  HttpWriter,
} from "../../http/message.ts";
import { without } from "../../http/heads.ts";
import type { RequestRecord } from "../vitals/request-record.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import { KeptContent } from "./kept-content.ts";
import type { ForwardingPlan } from "./forwarding-plan.ts";
import { answerError, type MeshError, MISTAKE, timeoutError, upstreamError } from "./mesh-error.ts";

/** As much of a request's content is kept to be sent again where the route wants that; beyond it there is one attempt. In bytes. */
const MAX_REPLAYED_BYTES = 64 * 1024;
/** The same where it is sent again only when nobody has seen it. */
const MAX_UNSEEN_BYTES = 16 * 1024;
/** How often a request that the other side has not looked at is sent again: servers that take few on a connection refuse the rest. */
const MAX_REFUSALS = 8;
/** How often it goes elsewhere because the endpoint's proxy has reached no application. */
const MAX_UNREACHED = 2;
/** How often others may have taken the room of a connection that was waited for. */
const MAX_CROWDED = 32;
const DEFAULT_BACKOFF_MS = 25;
const CONNECTION_ERROR: AttemptEnd = { kind: "connection-error" };

/**
 * One request on its way: its head goes to an endpoint, its content follows, and the response comes back; again where the route
 * says so and the client has seen nothing yet. It ends exactly once, with the record of the request.
 */
export class Forwarding implements HttpReader, AttemptOwner {
  readonly #plan: ForwardingPlan;
  readonly #answer: HttpAnswer;
  /** Undefined before any came. */
  #kept: KeptContent | undefined;
  #isReplayable = true;
  #hasEnded = false;
  #trailers: readonly Field[] = [];
  #attempt: Attempt | undefined;
  #attempts = 0;
  #refusals = 0;
  #crowded = 0;
  /** Came from the client and was not handed on. */
  #owedToClient = 0;
  /** Came from the endpoint and was not handed on. */
  #owedToServer = 0;
  #isTunnel = false;
  #isResponseDone = false;
  /** The endpoint's proxy answered in the place of the application. */
  #isPeerFailure = false;
  #isOver = false;
  #requestTimer: NodeJS.Timeout | undefined;
  #backoffTimer: NodeJS.Timeout | undefined;
  readonly #onOver: (over: Forwarding) => void;

  /** @param onOver called once, when nothing follows any more; for a request that fails at once before this returns */
  constructor(plan: ForwardingPlan, answer: HttpAnswer, onOver: (over: Forwarding) => void) {
    this.#plan = plan;
    this.#answer = answer;
    this.#onOver = onOver;
    const { requestMs } = plan.timeouts;
    if (requestMs) this.#requestTimer = setTimeout(() => this.#timeOut("the request", requestMs), requestMs);
    this.#try();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  // The request's content.

  data(bytes: Uint8Array): void {
    this.#plan.record.moved("request", bytes.length);
    for (const copy of this.#plan.copies) copy.write(bytes);
    if (this.#isOver || (this.#isResponseDone && !this.#isTunnel)) return this.#answer.consumed(bytes.length);
    const kept = (this.#kept ??= this.#newKept());
    kept.received(bytes.length);
    const writer = this.#attempt?.writer;
    if (!writer || this.#isReplayable || writer.isUnsent === true) this.#keep(kept, bytes);
    else kept.forget();
    if (writer?.write(bytes) === true) this.#answer.consumed(bytes.length);
    else this.#owedToClient += bytes.length;
  }

  end(trailers: readonly Field[]): void {
    this.#hasEnded = true;
    // Whoever may not claim something in the head may not in the trailers: some servers join the two.
    this.#trailers = trailers.length === 0 ? trailers : without(trailers, this.#plan.changes.remove);
    for (const copy of this.#plan.copies) copy.end(this.#trailers);
    if (this.#attempt?.writer) this.#endRequest(this.#attempt.writer);
    if (this.#isResponseDone) this.#finish();
  }

  writable(): void {
    const owed = this.#owedToServer;
    this.#owedToServer = 0;
    if (owed > 0) this.#attempt?.writer?.consumed(owed);
  }

  /** The client is gone, or has broken a rule. */
  reset(failure: HttpFailure): void {
    const reason = failure.kind === "protocol" ? "bad-request" : "client-gone";
    this.#abandon(failure.message);
    this.#over(failure.kind === "protocol" ? "DPE" : "DC", { reason, message: failure.message });
  }

  /** Ends it now: the client sees an error. */
  stop(reason: string): void {
    if (this.#isOver) return;
    this.#abandon(reason);
    this.#answer.reset(ERROR_CODE.cancel, reason);
    this.#over("UC", { reason: "stopped", message: reason });
  }

  // Attempts.

  #try(): void {
    this.#attempts += 1;
    const attempt = new Attempt(this);
    this.#attempt = attempt;
    this.#connect(attempt);
  }

  #connect(attempt: Attempt): void {
    const connection = this.#plan.endpoints.connect();
    if (!(connection instanceof Promise)) return this.#connected(attempt, connection);
    connection
      .then((made) => this.#connected(attempt, made))
      .catch((error: unknown) => {
        attempt.cancel("a mistake of the proxy's");
        this.#fail(MISTAKE);
        this.#plan.onMistake(error);
      });
  }

  #connected(attempt: Attempt, made: HttpClientConnection | MeshError): void {
    if (this.#isOver || attempt.isOver) return;
    if ("code" in made) {
      attempt.isOver = true;
      return this.#failAttempt(made);
    }
    if (made.room === 0 && this.#crowded < MAX_CROWDED) {
      this.#crowded += 1;
      return this.#connect(attempt);
    }
    const { request, changes, record, timeouts } = this.#plan;
    record.noteAttempt();
    try {
      attempt.writer = made.request(request, changes, attempt);
    } catch (error) {
      attempt.isOver = true;
      const message = `the request cannot be sent on: ${error instanceof Error ? error.message : String(error)}`;
      return this.#fail({ status: 502, grpcStatus: "INTERNAL", code: "unforwardable-request", message, flag: "UPE" });
    }
    const { backendRequestMs } = timeouts;
    if (backendRequestMs) attempt.watch(backendRequestMs);
    if (this.#kept) this.#sendKept(this.#kept, attempt.writer);
    if (this.#hasEnded) this.#endRequest(attempt.writer);
  }

  #sendKept(kept: KeptContent, writer: HttpWriter): void {
    const isWelcome = kept.sendTo(writer);
    if (!this.#isReplayable && writer.isUnsent !== true) kept.forget();
    if (isWelcome) this.#release();
  }

  #endRequest(writer: HttpWriter): void {
    try {
      writer.end(this.#trailers);
    } catch (error) {
      // Trailers that HTTP/1 cannot have, for example.
      const message = error instanceof Error ? error.message : String(error);
      this.#abandon(message);
      this.#fail({ status: 502, grpcStatus: "INTERNAL", code: "unforwardable-request", message, flag: "UPE" });
    }
  }

  #newKept(): KeptContent {
    const { keeping, retry } = this.#plan;
    return new KeptContent(keeping, retry ? MAX_REPLAYED_BYTES : MAX_UNSEEN_BYTES);
  }

  #keep(kept: KeptContent, bytes: Uint8Array): void {
    if (!kept.mayKeep(bytes.length)) {
      this.#isReplayable = false;
      // What nobody has taken yet stays in any case: the client gets no leave to send more.
      if (this.#attempt?.writer) return kept.forget();
    }
    kept.add(bytes);
  }

  /** Whether all content that came so far can be sent again. */
  get #isWhole(): boolean {
    return this.#kept === undefined || this.#kept.isWhole;
  }

  #release(): void {
    const owed = this.#owedToClient;
    this.#owedToClient = 0;
    if (owed > 0) this.#answer.consumed(owed);
  }

  /** An attempt has come to nothing, and the client has seen nothing of it. */
  #failAttempt(error: MeshError, isRefused = false): void {
    // A fault of the answer that the client has begun to get.
    if (this.#answer.isAnswered) return this.#fail(error);
    if (isRefused && this.#mayResend) return this.#resend();
    if (this.#retries(CONNECTION_ERROR)) return;
    this.#fail(error);
  }

  /** @returns whether an attempt's end is not the answer: there will be another, or there would be if it were not one too many */
  #retries(end: AttemptEnd): boolean {
    const { retry, budget } = this.#plan;
    // What nobody has looked at was no attempt that the route counts.
    const attempts = this.#attempts - this.#refusals;
    if (!this.#isWhole || !shouldRetry(retry, attempts, end)) return false;
    this.#attempt = undefined;
    if (budget && !budget.takeRetry()) {
      this.#fail(upstreamError("retry-budget", "the attempt failed, and the Service gets no more retries now", "URX"));
      return true;
    }
    this.#backoffTimer = setTimeout(() => this.#try(), retry?.backoffMs ?? DEFAULT_BACKOFF_MS);
    return true;
  }

  /** Whether it may be sent again because nobody has looked at it. */
  get #mayResend(): boolean {
    return this.#refusals < MAX_REFUSALS && this.#isWhole;
  }

  #resend(): void {
    this.#refusals += 1;
    this.#try();
  }

  #fail(error: MeshError): void {
    if (this.#isOver) return;
    const { request, record } = this.#plan;
    if (this.#answer.isAnswered) this.#answer.reset(ERROR_CODE.internalError, error.message);
    else {
      record.responded(record.isGrpc ? 200 : error.status);
      answerError(request, this.#answer, error);
    }
    this.#over(error.flag, { reason: error.code, message: error.message });
  }

  #timeOut(what: string, ms: number): void {
    this.#abandon(`${what} took longer than ${ms} ms`);
    this.#fail(timeoutError("request-timeout", what, ms));
  }

  // The response, told by the attempt that is under way.

  informational(head: HttpResponse): void {
    const fields = this.#plan.endpoints.allowed(head.fields);
    const isSame = fields === head.fields;
    try {
      this.#answer.informational(isSame ? head : { ...head, fields, received: undefined });
    } catch (error) {
      this.#cannotSay(error);
    }
  }

  head(attempt: Attempt, head: HttpResponse): void {
    const { record, endpoints, retry } = this.#plan;
    const failure = endpoints.failureOf(head);
    if (failure === "unreached" && this.#refusals < MAX_UNREACHED && this.#isWhole) {
      endpoints.avoid(head);
      attempt.cancel("it is sent elsewhere");
      return this.#resend();
    }
    const isFailure = failure === "unreached" || failure === "connection";
    if (retry && this.#retries(isFailure ? CONNECTION_ERROR : { kind: "response", status: head.status }))
      return attempt.cancel("it is tried again");
    this.#isPeerFailure = isFailure;
    this.#kept?.forget();
    this.#isReplayable = false;
    this.#isTunnel = head.status === 101;
    if (this.#isTunnel) this.#stopTimers(attempt);
    record.responded(head.status);
    if (record.isGrpc) noteGrpcStatus(record, head.fields);
    try {
      this.#answer.head(endpoints.response(head, failure));
    } catch (error) {
      this.#cannotSay(error);
    }
  }

  content(writer: HttpWriter, bytes: Uint8Array): void {
    this.#plan.record.moved("response", bytes.length);
    let isWelcome = true;
    try {
      isWelcome = this.#answer.write(bytes);
    } catch (error) {
      this.#cannotSay(error);
    }
    if (isWelcome) writer.consumed(bytes.length);
    else this.#owedToServer += bytes.length;
  }

  responseEnd(attempt: Attempt, trailers: readonly Field[]): void {
    const { record } = this.#plan;
    if (record.isGrpc) noteGrpcStatus(record, trailers);
    this.#isResponseDone = true;
    try {
      this.#answer.end(trailers.length === 0 ? trailers : this.#plan.endpoints.allowed(trailers));
    } catch (error) {
      this.#cannotSay(error);
    }
    if (this.#hasEnded || this.#isOver) return this.#finish();
    if (this.#isTunnel) return;
    // What the client still sends has no reader.
    attempt.cancel("it was answered before its end");
    this.#release();
    this.#finish();
  }

  /** The attempt broke off. */
  broken(failure: HttpFailure): void {
    if (this.#isOver) return;
    const isProtocol = failure.kind === "protocol";
    if (this.#answer.isAnswered) {
      this.#answer.reset(brokenCode(failure), failure.message);
      const reason = isProtocol ? "upstream-protocol-error" : "upstream-reset";
      return this.#over(isProtocol ? "UPE" : "UR", { reason, message: failure.message });
    }
    const error = isProtocol
      ? { ...upstreamError("upstream-protocol-error", failure.message, "UPE"), status: 502 }
      : upstreamError("upstream-reset", `the endpoint broke off before it answered: ${failure.message}`, "UR");
    this.#failAttempt(error, failure.kind === "refused");
  }

  /** An attempt took too long. */
  late(ms: number): void {
    this.#failAttempt(timeoutError("backend-timeout", "an attempt", ms));
  }

  writableToServer(): void {
    this.#release();
  }

  /** A response that cannot be said in the client's version of HTTP is a fault of the endpoint's. */
  #cannotSay(error: unknown): void {
    if (!(error instanceof Http1Error)) throw error;
    this.#attempt?.cancel(error.message);
    this.broken({ kind: "protocol", message: error.message, code: undefined });
  }

  // The end.

  #abandon(reason: string): void {
    this.#attempt?.cancel(reason);
  }

  #finish(): void {
    if (this.#isPeerFailure) this.#over("UF", PEER_FAILURE);
    else this.#over("-");
  }

  #over(...[flag, problem]: Parameters<RequestRecord["close"]>): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimers(this.#attempt);
    this.#endCopies();
    this.#kept?.forget();
    this.#release();
    this.#plan.record.close(flag, problem);
    this.#onOver(this);
  }

  /** What still comes of the request may not be told any more. */
  #endCopies(): void {
    const { copies, request } = this.#plan;
    if (this.#hasEnded || !request.hasContent) return;
    for (const copy of copies) copy.reset(ERROR_CODE.cancel, "the request was over before its end");
  }

  #stopTimers(attempt: Attempt | undefined): void {
    if (this.#requestTimer) clearTimeout(this.#requestTimer);
    if (this.#backoffTimer) clearTimeout(this.#backoffTimer);
    attempt?.stopTimer();
  }
}

/**
 * How the client of a broken answer is told. NO_ERROR would be an end to most clients, and REFUSED_STREAM would have them send a
 * request again that the endpoint has looked at.
 */
const brokenCode = ({ code }: HttpFailure): ErrorCode =>
  code === undefined || code === ERROR_CODE.noError || code === ERROR_CODE.refusedStream
    ? ERROR_CODE.internalError
    : code;

/** Its own log says more. */
const PEER_FAILURE = { reason: "peer-failure", message: "the proxy of the endpoint could not reach its application" };

const noteGrpcStatus = (record: RequestRecord, fields: readonly Field[]): void => {
  const status = fieldValue(fields, "grpc-status");
  if (status !== undefined) record.grpcStatus(status);
};
