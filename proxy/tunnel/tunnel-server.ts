import type { Duplex } from "node:stream";
import type { Field } from "#wire/field.ts";
import { ERROR_CODE, type ErrorCode } from "#wire/http2/error-code.ts";
import type { RequestHead } from "#wire/http2/message-rules.ts";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";
import { Http2Transport } from "../transport/http2-transport.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { IncomingTunnel, TunnelServer } from "./tunnel.ts";
import { http2Limits, http2Patience, type TunnelLimits } from "./tunnel-limits.ts";
import { TunnelStream } from "./tunnel-stream.ts";

/**
 * Serves the tunnels of one connection whose TLS peer has been verified.
 * @param onTunnel called for each request; it must answer it
 * @param onClosed called once when the connection is gone
 */
export const serveTunnels = (
  socket: Duplex,
  limits: TunnelLimits,
  onTunnel: (tunnel: IncomingTunnel) => void,
  onClosed: () => void,
): TunnelServer => {
  const transport = new Http2Transport(socket, "server", http2Limits(limits), http2Patience(limits), {
    request: (stream, head) => {
      const request = new WireTunnelRequest(stream, head);
      onTunnel(request);
      return request.handler;
    },
    ready: () => undefined,
    goAway: () => undefined,
    streamClosed: () => undefined,
    closed: onClosed,
  });
  return {
    get openTunnels() {
      return transport.connection.openStreams;
    },
    drain: () => transport.drain(),
    destroy: (reason) => transport.destroy(reason),
  };
};

class WireTunnelRequest implements IncomingTunnel {
  readonly method: string;
  readonly authority: string;
  readonly handler: StreamHandler;
  readonly #stream: Http2Stream;
  readonly #head: RequestHead;
  readonly #tunnel: TunnelStream;
  #isAccepted = false;

  constructor(stream: Http2Stream, head: RequestHead) {
    this.method = head.method;
    this.authority = head.authority ?? "";
    this.#stream = stream;
    this.#head = head;
    this.#tunnel = new TunnelStream(stream);
    this.handler = new TunnelHandler(this.#tunnel);
  }

  get isGone(): boolean {
    return this.#tunnel.isGone;
  }

  header(name: string): string | undefined {
    let joined: string | undefined;
    for (const field of this.#head.section) {
      if (field.name === name) joined = joined === undefined ? field.value : `${joined},${field.value}`;
    }
    return joined;
  }

  accept(headers: Readonly<Record<string, string>>): ByteStream {
    this.#isAccepted = true;
    if (this.isGone) return this.#tunnel;
    const section = [status(200)];
    for (const name in headers) section.push(field(name, headers[name] ?? ""));
    this.#stream.sendHead(section, false);
    return this.#tunnel;
  }

  refuse(code: 400 | 401 | 503): void {
    if (this.isGone) return;
    if (this.#isAccepted) return this.#tunnel.reset();
    this.#stream.sendHead([status(code)], true);
    // The answer is complete; what the caller still wants to send has no reader (RFC 9113 section 8.1).
    this.#stream.reset(ERROR_CODE.noError);
    this.#tunnel.deliverClosed();
  }
}

class TunnelHandler implements StreamHandler {
  readonly #tunnel: TunnelStream;

  constructor(tunnel: TunnelStream) {
    this.#tunnel = tunnel;
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
    this.#tunnel.deliverReset(code, reason);
  }

  closed(): void {
    this.#tunnel.deliverClosed();
  }
}

const field = (name: string, value: string): Field => ({ name, value, isNeverIndexed: false });

const status = (code: number): Field => field(":status", String(code));
