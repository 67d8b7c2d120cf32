import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { constants, createGzip } from "node:zlib";

/** What is answered: media type and body, in one piece or in parts that are made as they are sent. */
export interface Page {
  readonly type: string;
  readonly body: string | Iterable<string>;
  readonly status?: number;
}

/** Characters that are written at once. */
const PIECE = 65_536;

/** Sends a page, unless something was sent already: the answer then breaks off. One in parts is compressed for who likes that. */
export const sendPage = (request: IncomingMessage, response: ServerResponse, page: Page): void => {
  const { type, body, status = 200 } = page;
  if (response.headersSent) return void response.destroy();
  if (typeof body === "string") return void response.writeHead(status, { "content-type": type }).end(body);
  // Whoever asked may be gone before the end, which is nobody's fault.
  const ended = (): void => undefined;
  const pieces = Readable.from(inPieces(body));
  const headers = { "content-type": type, vary: "accept-encoding" };
  if (acceptsGzip(request)) {
    response.writeHead(status, { ...headers, "content-encoding": "gzip" });
    pipeline(pieces, createGzip({ level: constants.Z_BEST_SPEED }), response, ended);
  } else {
    response.writeHead(status, headers);
    pipeline(pieces, response, ended);
  }
};

/** Joins what is short: a write for each line would take longer than the line. */
function* inPieces(parts: Iterable<string>): Generator<string> {
  let piece = "";
  for (const part of parts) {
    piece += part;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** RFC 9110 section 12.5.3: unless its weight is nothing. */
const acceptsGzip = ({ headers }: IncomingMessage): boolean =>
  (headers["accept-encoding"] ?? "")
    .split(",")
    .some((coding) => /^\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$)[\d.]+\s*)?$/i.test(coding));
