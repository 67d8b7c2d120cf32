import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { Duplex } from "node:stream";
import { http2ByteStream } from "./http2-stream.ts";
import { keepAlive, sessionOptions } from "./http2-settings.ts";
import {
  type ByteStream,
  type TunnelConnection,
  TunnelError,
  type TunnelLimits,
  type TunnelRequest,
} from "./tunnel.ts";

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
    // Only the pseudo-headers of requests would come from this URL, and CONNECT brings its own.
    const session = connect("http://tunnel", { ...sessionOptions(limits), createConnection: () => socket });
    let opened = false;
    const timer = setTimeout(() => {
      session.destroy(new Error(`no SETTINGS within ${limits.settingsTimeoutMs} ms`));
    }, limits.settingsTimeoutMs);
    let failure: Error | undefined;
    session.on("error", (error: Error) => (failure ??= error));
    session.once("close", () => {
      clearTimeout(timer);
      if (opened) onClosed();
      else reject(failure ?? new Error("the other end closed the connection instead of sending SETTINGS"));
    });
    session.once("remoteSettings", () => {
      clearTimeout(timer);
      session.setLocalWindowSize(limits.connectionWindow);
      keepAlive(session, limits);
      opened = true;
      resolve(new Http2TunnelConnection(session, limits));
    });
  });

class Http2TunnelConnection implements TunnelConnection {
  readonly #session: ClientHttp2Session;
  readonly #maxTunnels: number;
  readonly #answerTimeoutMs: number;
  #open = 0;
  #isDraining = false;

  constructor(session: ClientHttp2Session, limits: TunnelLimits) {
    this.#session = session;
    this.#maxTunnels = limits.maxTunnels;
    this.#answerTimeoutMs = limits.answerTimeoutMs;
  }

  /** A session that received GOAWAY is closed already, and ends with its last stream. */
  get room(): number {
    if (this.#isDraining || this.#session.closed || this.#session.destroyed) return 0;
    const peerLimit = this.#session.remoteSettings.maxConcurrentStreams ?? this.#maxTunnels;
    return Math.max(0, Math.min(this.#maxTunnels, peerLimit) - this.#open);
  }

  get openTunnels(): number {
    return this.#open;
  }

  open({ authority, headers }: TunnelRequest): Promise<ByteStream> {
    return new Promise((resolve, reject) => {
      let stream: ClientHttp2Stream;
      try {
        stream = this.#session.request({ ...headers, ":method": "CONNECT", ":authority": authority });
      } catch (error) {
        return reject(new TunnelError("broken", String(error)));
      }
      this.#open++;
      let failure: Error | undefined;
      const fail = (kind: TunnelError["kind"], message: string, status?: number): void => {
        stream.close(constants.NGHTTP2_CANCEL);
        reject(new TunnelError(kind, message, status));
      };
      const timer = setTimeout(
        () => fail("unanswered", `no answer within ${this.#answerTimeoutMs} ms`),
        this.#answerTimeoutMs,
      );
      stream.on("error", (error) => (failure ??= error));
      stream.once("response", (response) => {
        clearTimeout(timer);
        const status = Number(response[":status"]);
        if (status === 200) resolve(http2ByteStream(stream));
        else fail("refused", `the other end answered ${status}`, status);
      });
      stream.once("close", () => {
        clearTimeout(timer);
        this.#open--;
        if (this.#isDraining && this.#open === 0) this.#session.close();
        const code = stream.rstCode === undefined ? "" : ` (code ${stream.rstCode})`;
        reject(new TunnelError("broken", `the tunnel ended unanswered${code}: ${failure?.message ?? "closed"}`));
      });
    });
  }

  drain(): void {
    this.#isDraining = true;
    if (this.#open === 0) this.#session.close();
  }

  destroy(reason: string): void {
    this.#isDraining = true;
    this.#session.destroy(new Error(reason));
  }
}
