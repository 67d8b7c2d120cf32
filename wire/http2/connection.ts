import type { Field } from "../field.ts";
import { Output } from "../output.ts";
import { ERROR_CODE, type ErrorCode } from "./error-code.ts";
import { FloodGuard } from "./flood-guard.ts";
import { appendSettings } from "./frames/settings.ts";
import { appendWindowUpdate } from "./frames/window-update.ts";
import { GoingAway } from "./going-away.ts";
import type { Http2Handler } from "./handler.ts";
import { Http2ConnectionError } from "./http2-error.ts";
import type { Http2Limits } from "./limits.ts";
import { LiveStreams } from "./live-streams.ts";
import { Pings } from "./pings.ts";
import { PREFACE } from "./preface.ts";
import { Receiver } from "./receiver.ts";
import { INITIAL_PEER_SETTINGS, ownSettings, type Settings } from "./settings.ts";
import type { Http2Stream, StreamHandler } from "./stream.ts";

/**
 * An HTTP/2 connection (RFC 9113) without I/O: bytes in, calls of a handler and bytes out. It follows every rule of framing,
 * streams, flow control and messages; a peer that breaks one of the connection's ends it with GOAWAY, one that breaks one of a
 * stream's has that stream reset. Handlers may call anything from within; where one throws, the connection ends.
 */
export class Http2Connection {
  readonly #role: "client" | "server";
  readonly #limits: Http2Limits;
  readonly #handler: Http2Handler;
  readonly #output = new Output();
  readonly #pings = new Pings();
  readonly #goingAway = new GoingAway();
  readonly #streams: LiveStreams;
  readonly #receiver: Receiver;
  #isAwake = false;
  #failure: Http2ConnectionError | undefined;

  /** @throws RangeError for windows that are too small */
  constructor(role: "client" | "server", limits: Http2Limits, handler: Http2Handler, nowMs: number) {
    const { settings, connectionWindow } = limits;
    const beyond = connectionWindow - INITIAL_PEER_SETTINGS.initialWindowSize;
    if (beyond < 0 || settings.initialWindowSize < INITIAL_PEER_SETTINGS.initialWindowSize) {
      throw new RangeError(`HTTP/2 windows below ${INITIAL_PEER_SETTINGS.initialWindowSize} bytes`);
    }
    this.#role = role;
    this.#limits = limits;
    this.#handler = handler;
    const guard = new FloodGuard(nowMs);
    const shared = { role, limits, handler, output: this.#output, guard, pings: this.#pings };
    this.#streams = new LiveStreams({
      ...shared,
      wake: () => this.#wake(),
      streamClosed: (stream) => handler.streamClosed(stream),
    });
    this.#receiver = new Receiver({ ...shared, streams: this.#streams, goingAway: this.#goingAway });
    if (role === "client") this.#output.append(PREFACE);
    appendSettings(this.#output, ownSettings(settings, role));
    if (beyond > 0) appendWindowUpdate(this.#output, 0, beyond);
  }

  /** Streams that are not closed. */
  get openStreams(): number {
    return this.#streams.table.size;
  }

  /** Whether the peer's SETTINGS are there. */
  get isReady(): boolean {
    return this.#receiver.isReady;
  }

  /** What the peer allows; until it is ready, what holds for everybody. */
  get peerSettings(): Settings {
    return this.#streams.sender.peer;
  }

  /** Why the connection ended, where either side broke a rule. */
  get failure(): Http2ConnectionError | undefined {
    return this.#failure;
  }

  /** The stream of a field block that has begun and is not complete: it must not stay so for long. */
  get openFieldBlock(): number | undefined {
    return this.#receiver.openFieldBlock;
  }

  /** Whether there are no streams, and will be none: the peer knows that we take no more, or said so to us who would open them. */
  get isDrained(): boolean {
    const isOver = this.#goingAway.isConcluded || (this.#role === "client" && this.#goingAway.received !== undefined);
    return isOver && this.#streams.table.size === 0;
  }

  /** How many more streams we may open now; at a server none. */
  get room(): number {
    if (this.#failure || this.#goingAway.hasBegun || this.#streams.table.nextOwnId === undefined) return 0;
    return Math.max(0, this.#streams.sender.peer.maxConcurrentStreams - this.#streams.table.size);
  }

  /**
   * Takes bytes of the peer's. Handlers are called from within. After a {@link failure} nothing is taken any more; what is to
   * be sent then ends with GOAWAY.
   * @param nowMs of any clock that does not go back
   * @returns how many bytes were taken. What is left is to be given again in another turn of the event loop, before what comes
   *   later: a peer shall not have more work done at once than others may wait for.
   * @throws what a handler throws; that is a failure too
   */
  receive(bytes: Uint8Array, nowMs: number): number {
    if (this.#failure) return bytes.length;
    let taken = bytes.length;
    try {
      taken = this.#receiver.read(bytes, nowMs);
      this.#checkUnsent();
    } catch (error) {
      const isOfPeer = error instanceof Http2ConnectionError;
      this.fail(isOfPeer ? error : new Http2ConnectionError(ERROR_CODE.internalError, "a handler failed"));
      if (!isOfPeer) throw error;
    }
    this.#wake();
    return taken;
  }

  /** What is to be sent, in order. */
  takeOutput(): readonly Uint8Array[] {
    this.#isAwake = false;
    const parts = this.#output.take();
    if (this.#streams.table.size === 0) this.#output.trim();
    return parts;
  }

  /** Nobody reads any more what the oldest {@link takeOutput} gave that gave anything: what it is in will be used again. */
  outputWritten(): void {
    this.#output.written();
  }

  /** Whoever carries the bytes has enough (true), or wants more (false). */
  setBlocked(isBlocked: boolean): void {
    this.#streams.sender.isBlocked = isBlocked;
    if (!isBlocked) this.pump();
  }

  /** Sends of what streams have queued as much as may be sent: to be called after output was taken. */
  pump(): void {
    this.#streams.sender.pump();
    this.#wake();
  }

  /**
   * Opens a stream with a request.
   * @throws Error where there is no {@link room}, RangeError for a section that is not latin1; then there is no stream
   */
  open(
    section: readonly Field[],
    endStream: boolean,
    makeHandler: (stream: Http2Stream) => StreamHandler,
  ): Http2Stream {
    const id = this.#streams.table.nextOwnId;
    if (this.room === 0 || id === undefined) throw new Error("no room for another stream");
    const stream = this.#streams.make(id, section.find(({ name }) => name === ":method")?.value, "idle");
    this.#streams.sender.sendHead(stream, section, endStream);
    this.#streams.table.add(stream);
    this.#wake();
    stream.handler = makeHandler(stream);
    return stream;
  }

  /** Asks whether the peer is there; {@link Http2Handler.pong} is its answer. */
  ping(): void {
    if (this.#failure) return;
    this.#pings.send(this.#output, "keep-alive");
    this.#wake();
  }

  /** Takes no more streams, as soon as the peer knows; those that are open go on. */
  drain(): void {
    if (this.#failure || !this.#goingAway.announce(this.#output)) return;
    this.#pings.send(this.#output, "drain");
    this.#wake();
  }

  /** Ends the connection: GOAWAY, and every stream is gone. */
  fail(error: Http2ConnectionError): void {
    if (this.#failure) return;
    this.#goingAway.end(this.#output, this.#streams.table.lastPeerId, error.code, error.message);
    this.#abandon(error, error.code);
    this.#wake();
  }

  /** The transport is gone: so is every stream. */
  lost(reason: string): void {
    this.#abandon(this.#failure ?? new Http2ConnectionError(ERROR_CODE.connectError, reason), ERROR_CODE.cancel);
  }

  #abandon(failure: Http2ConnectionError, code: ErrorCode): void {
    this.#failure = failure;
    this.#receiver.stop();
    this.#streams.abandon(code, failure.message);
  }

  /** @throws Http2ConnectionError where the peer makes us answer and does not read the answers */
  #checkUnsent(): void {
    if (!this.#streams.sender.isBlocked || this.#output.length <= this.#limits.maxUnsentBytes) return;
    throw new Http2ConnectionError(ERROR_CODE.enhanceYourCalm, "the peer does not read what it asked for");
  }

  #wake(): void {
    if (this.#isAwake || this.#output.length === 0) return;
    this.#isAwake = true;
    this.#handler.wake();
  }
}
