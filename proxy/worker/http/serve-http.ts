import { Duplex } from "node:stream";
import { serveHttp1 } from "../../http/http1-server.ts";
import { serveHttp2 } from "../../http/http2-server.ts";
import type { HttpServerConnection, HttpServerHandler } from "../../http/message.ts";
import type { Carrier } from "../../transport/carrier.ts";
import type { Exchange, ServedPod } from "../served-pod.ts";
import { CALLER_HTTP1, CALLER_HTTP2, PEER_HTTP1, PEER_HTTP2 } from "./http-settings.ts";

/** Requests of one connection, and how to end them all at once. */
export interface RequestHandler extends Omit<HttpServerHandler, "closed"> {
  stop(reason: string): void;
  closed(reason: string): void;
}

/** Serves HTTP on a connection or tunnel of a pod, as long as both last. @param isPeer whether another proxy is the client */
export const serveHttp = (
  pod: ServedPod,
  carrier: Carrier,
  version: "http1" | "http2",
  handler: RequestHandler,
  isPeer: boolean,
): void => {
  const telling: HttpServerHandler = {
    request: (request, answer) => handler.request(request, answer),
    refused: (reason, message) => handler.refused(reason, message),
    closed: (reason) => {
      pod.exchanges.delete(place);
      handler.closed(reason);
    },
  };
  const connection: HttpServerConnection =
    version === "http2"
      ? serveHttp2(carrier, isPeer ? PEER_HTTP2 : CALLER_HTTP2, telling)
      : serveHttp1(carrier, isPeer ? PEER_HTTP1 : CALLER_HTTP1, telling);
  const exchange: Exchange = {
    stop: () => {
      handler.stop("the pod is gone");
      connection.destroy("the pod is gone");
    },
    drain: () => connection.end(),
    retire: () => connection.drain(),
  };
  const place = pod.exchanges.add(exchange);
  if (pod.isLeaving) connection.drain();
  // Sockets are paused until somebody reads them.
  if (carrier instanceof Duplex) carrier.resume();
};
