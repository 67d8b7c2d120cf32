import { once } from "node:events";
import { createServer as createHttpServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { HTTP1_SERVER_SETTINGS } from "#proxy/transport/http1-limits.ts";
import { startForwarder } from "#test/programs/http1-forwarder.ts";

/** Somebody else's parser, as a proxy before the backend that tells what arrived, or as that backend itself. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** The field in which the backend tells what it was sent: method, target and bytes of content, as JSON. */
export const ECHO_FIELD = "X-Echo";

/** Answers every complete request with what it was, and nothing else. */
export const startBackend = async (): Promise<Peer> => {
  const server: Server = createHttpServer(
    { requireHostHeader: false, keepAliveTimeout: 60_000, connectionsCheckingInterval: 1000, maxHeaderSize: 64 * 1024 },
    (request, response) => {
      let bytes = 0;
      request.on("data", (chunk: Buffer) => (bytes += chunk.length));
      request.on("error", () => undefined);
      request.on("end", () => {
        const echo = JSON.stringify([request.method, request.url, bytes]);
        response.writeHead(200, { [ECHO_FIELD]: echo, "Content-Length": "0" });
        response.end();
      });
    },
  );
  // Node joins repeated fields, and counts them: nothing of that is of interest here.
  server.maxHeadersCount = 2000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    name: "node:http",
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
};

/** Our own two connections around the parser: must agree with it in everything. */
export const startOurs = async (backendPort: number): Promise<Peer> => {
  const forwarder = await startForwarder(backendPort, 0, { ...HTTP1_SERVER_SETTINGS, halfClose: "answer" });
  return { name: "heddle", port: forwarder.port, stop: async () => forwarder.close() };
};
