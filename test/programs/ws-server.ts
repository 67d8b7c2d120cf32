/**
 * A WebSocket server (ws) on 8080 in a pod: `/echo` sends back what comes, after a first message with its pod's name; `/end`
 * closes with 4001; `/refused` is no WebSocket (401). Subprotocol: `chat`.
 */
import { createServer } from "node:http";
import { hostname } from "node:os";
import { env } from "node:process";
import { WebSocketServer } from "ws";

const http = createServer((_, response) => response.end(`${hostname()}\n`));
const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: true,
  handleProtocols: (protocols) => (protocols.has("chat") ? "chat" : false),
});

http.on("upgrade", (request, socket, head) => {
  const path = (request.url ?? "").split("?")[0];
  if (path === "/refused") return socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 5\r\n\r\nnever");
  return sockets.handleUpgrade(request, socket, head, (opened) => {
    opened.on("error", () => undefined);
    if (path === "/end") return opened.close(4_001, "enough");
    opened.send(hostname());
    return opened.on("message", (data, isBinary) => opened.send(data, { binary: isBinary }));
  });
});
http.listen(8080, env.LISTEN ?? "::", () => process.stdout.write("listening\n"));
