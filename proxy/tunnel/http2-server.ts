import { constants, type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { http2ByteStream } from "./http2-stream.ts";
import { keepAlive, sessionOptions } from "./http2-settings.ts";
import type { IncomingTunnel, TunnelLimits, TunnelServer } from "./tunnel.ts";

/** How long a refused caller may keep its stream open. */
const REFUSED_LINGER_MS = 1_000;

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
  const session = performServerHandshake(socket, sessionOptions(limits));
  let open = 0;
  // An error of the connection is the end of its tunnels, which is where it is seen.
  session.on("error", () => undefined);
  session.once("connect", () => session.setLocalWindowSize(limits.connectionWindow));
  session.once("close", onClosed);
  session.on("stream", (stream, headers) => {
    open++;
    stream.on("error", () => undefined);
    stream.once("close", () => open--);
    onTunnel(incomingTunnel(stream, headers));
  });
  keepAlive(session, limits);
  return {
    get openTunnels() {
      return open;
    },
    drain: () => session.close(),
    // With an error, or what either side has received so far would look like everything.
    destroy: () => session.destroy(new Error("destroyed")),
  };
};

const incomingTunnel = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): IncomingTunnel => ({
  method: headers[":method"] ?? "",
  authority: headers[":authority"] ?? "",
  header: (name) => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(",") : value;
  },
  get isGone() {
    return stream.closed || stream.destroyed;
  },
  accept: (responseHeaders) => {
    if (!stream.closed) stream.respond({ ":status": 200, ...responseHeaders });
    return http2ByteStream(stream);
  },
  refuse: (status) => {
    if (stream.closed) return;
    if (stream.headersSent) return http2ByteStream(stream).reset();
    stream.respond({ ":status": status }, { endStream: true });
    // Closing it at once would overtake the answer; an honest caller closes it when it reads that.
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), REFUSED_LINGER_MS);
    stream.once("close", () => clearTimeout(timer));
    stream.resume();
  },
});
