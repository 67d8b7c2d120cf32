import { type IncomingMessage, request, type ServerResponse } from "node:http";

/** Passes a request on to a process that listens on a unix socket, and its answer back. */
export const forward = (
  socketPath: string,
  path: string,
  incoming: IncomingMessage,
  response: ServerResponse,
  owner: string,
): void => {
  const { connection: _, ...headers } = incoming.headers;
  const onward = request({ socketPath, path, method: incoming.method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", (error) => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end(JSON.stringify({ error: `${owner} does not answer: ${error.message}` }));
  });
  response.on("close", () => onward.destroy());
  incoming.pipe(onward);
};
