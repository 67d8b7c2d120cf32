import type { Duplex } from "node:stream";
import type { Field } from "#wire/field.ts";
import { ERROR_CODE, type ErrorCode, errorCodeName } from "#wire/http2/error-code.ts";
import type { ResponseHead } from "#wire/http2/message-rules.ts";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";
import { Http2Transport } from "../transport/http2-transport.ts";
import type { ByteStream } from "./byte-stream.ts";
import { type TunnelConnection, TunnelError, type TunnelRequest } from "./tunnel.ts";
import { http2Limits, http2Patience, type TunnelLimits } from "./tunnel-limits.ts";
import { TunnelStream } from "./tunnel-stream.ts";

/**
 * Makes a tunnel connection of a finished TLS handshake. Resolves at the other end's SETTINGS and not before: it checks our
 * certificate after the handshake, and one that it refuses looks like a success until then. Everything that fails here is a
 * failure to connect, and safe to try elsewhere.
 * @param onClosed called once when the connection is gone, after this resolved
 * @throws Error
 */
export const openTunnelConnection = (
  socket: Duplex,
  limits: TunnelLimits,
  onClosed: () => void,
): Promise<TunnelConnection> =>
  new Promise((resolve, reject) => {
    let isOpen = false;
    const leavers = new Map<Http2Stream, () => void>();
    const transport = new Http2Transport(socket, "client", http2Limits(limits), http2Patience(limits), {
      request: () => {
        throw new Error("a server opened a stream");
      },
      ready: () => {
        isOpen = true;
        resolve(new WireTunnelConnection(transport, limits, leavers));
      },
      goAway: () => leave(leavers),
      streamClosed: (stream) => leavers.delete(stream),
      closed: (reason) => {
        if (isOpen) onClosed();
        else reject(new Error(`the other end closed the connection instead of sending SETTINGS: ${reason}`));
      },
    });
  });

/** Told once each. */
const leave = (leavers: Map<Http2Stream, () => void>): void => {
  const told = [...leavers.values()];
  leavers.clear();
  for (const tell of told) tell();
};

class WireTunnelConnection implements TunnelConnection {
  readonly #transport: Http2Transport;
  readonly #limits: TunnelLimits;
  /** Of the tunnels that are open: who wants to know that the connection takes no more. */
  readonly #leavers: Map<Http2Stream, () => void>;
  #isDraining = false;

  constructor(transport: Http2Transport, limits: TunnelLimits, leavers: Map<Http2Stream, () => void>) {
    this.#transport = transport;
    this.#limits = limits;
    this.#leavers = leavers;
  }

  get room(): number {
    if (this.#isDraining) return 0;
    return Math.max(0, Math.min(this.#transport.connection.room, this.#limits.maxTunnels - this.openTunnels));
  }

  get openTunnels(): number {
    return this.#transport.connection.openStreams;
  }

  open({ authority, headers, onLeaving }: TunnelRequest): Promise<ByteStream> {
    return new Promise((resolve, reject) => {
      if (this.#transport.connection.room === 0) {
        return reject(new TunnelError("broken", "the connection takes no more tunnels"));
      }
      const section = [field(":method", "CONNECT"), field(":authority", authority)];
      for (const name in headers) section.push(field(name, headers[name] ?? ""));
      this.#transport.connection.open(section, false, (stream) => {
        if (onLeaving) this.#leavers.set(stream, onLeaving);
        return new TunnelAnswer(stream, this.#limits.answerTimeoutMs, resolve, reject);
      });
    });
  }

  drain(): void {
    this.#isDraining = true;
    leave(this.#leavers);
    this.#transport.drain();
  }

  destroy(reason: string): void {
    this.#isDraining = true;
    this.#transport.destroy(reason);
  }
}

/** What becomes of one request: 200 makes a tunnel of it. */
class TunnelAnswer implements StreamHandler {
  readonly #stream: Http2Stream;
  readonly #tunnel: TunnelStream;
  readonly #resolve: (tunnel: ByteStream) => void;
  readonly #reject: (error: TunnelError) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(
    stream: Http2Stream,
    timeoutMs: number,
    resolve: (tunnel: ByteStream) => void,
    reject: (error: TunnelError) => void,
  ) {
    this.#stream = stream;
    this.#tunnel = new TunnelStream(stream);
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => this.#refuse("unanswered", `no answer within ${timeoutMs} ms`), timeoutMs);
  }

  response({ status }: ResponseHead): void {
    if (status < 200) return;
    clearTimeout(this.#timer);
    if (status === 200) this.#resolve(this.#tunnel);
    else this.#refuse("refused", `the other end answered ${status}`, status);
  }

  data(bytes: Uint8Array): void {
    this.#tunnel.deliver(bytes);
  }

  end(): void {
    this.#tunnel.deliverEnd();
  }

  writable(): void {
    this.#tunnel.deliverWritable();
  }

  reset(code: ErrorCode, reason: string): void {
    clearTimeout(this.#timer);
    this.#reject(new TunnelError("broken", `the tunnel ended unanswered: ${reason} (${errorCodeName(code)})`));
    this.#tunnel.deliverReset(code, reason);
  }

  closed(): void {
    clearTimeout(this.#timer);
    this.#tunnel.deliverClosed();
  }

  #refuse(kind: TunnelError["kind"], message: string, status?: number): void {
    this.#stream.reset(ERROR_CODE.cancel);
    this.#reject(new TunnelError(kind, message, status));
  }
}

const field = (name: string, value: string): Field => ({ name, value, isNeverIndexed: false });
