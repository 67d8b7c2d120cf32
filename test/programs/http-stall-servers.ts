/**
 * Applications whose messages are larger than anybody should hold, in a pod:
 *
 *   8100  HTTP/1.1, and 8101 HTTP/2, Node.js: `/big/BYTES` answers with {@link pattern} as fast as it is taken; `/wait` reads its
 *         request not before `/go` was asked, and answers with {@link digest}; `/hang` neither reads nor answers; `/report`
 *   8102  HTTP/2 by hand: answers with BEYOND bytes, whatever the client's windows are
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer as createTcpServer } from "node:net";
import { pathToFileURL } from "node:url";
import { FRAME_TYPE } from "#wire/http2/frame-header.ts";
import { data, describeFrame, headers, settings, SETTINGS_ACK } from "#wire/http2/testing/raw-frames.ts";
import { FrameSplitter } from "./http2-case-rows.ts";

/** What happened since it was last asked. */
export interface StallReport {
  /** Bytes of big answers that somebody took. */
  readonly written: number;
  /** RST_STREAM that came to port 8102. */
  readonly resets: readonly string[];
}

export const PIECE = 16 * 1024;
/** More than all windows on the way together. */
export const BEYOND = 8 * 1024 * 1024;
const PREFACE_BYTES = 24;

/** A piece of content that is not the same as any other. */
export const piece = (index: number): Buffer => Buffer.alloc(PIECE, `${index} `);

/** Of so many pieces. */
export const patternDigest = (pieces: number): string => {
  const hash = createHash("sha256");
  for (let index = 0; index < pieces; index++) hash.update(piece(index));
  return hash.digest("hex");
};

const serve = (): void => {
  let written = 0;
  let resets: string[] = [];
  let go = (): void => undefined;
  let awaited = new Promise<void>((resolve) => (go = resolve));

  const answer = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, what = "", pieces = ""] = (asked.url ?? "").split("/");
    asked.on("error", () => undefined);
    response.on("error", () => undefined);
    if (what === "hang") return;
    if (what === "report") {
      response.end(JSON.stringify({ written, resets } satisfies StallReport));
      [written, resets] = [0, []];
      return;
    }
    if (what === "go") {
      go();
      awaited = new Promise((resolve) => (go = resolve));
      response.end();
      return;
    }
    if (what === "big") {
      // Node.js resets a stream of which nothing was read when it has answered, and the end of the answer may be lost with that.
      asked.resume();
      for (let index = 0; index < Number(pieces) && !response.destroyed; index++) {
        await new Promise<void>((resolve) => {
          response.write(piece(index), () => resolve());
        });
        written += PIECE;
      }
      response.end();
      return;
    }
    await awaited;
    const hash = createHash("sha256");
    for await (const part of asked) hash.update(part as Buffer);
    response.end(hash.digest("hex"));
  };

  const handle = (asked: IncomingMessage, response: ServerResponse): void =>
    void answer(asked, response).catch(() => response.destroy());
  createServer(handle).listen(8100, "::");
  const http2 = createHttp2Server((asked, response) =>
    handle(asked as unknown as IncomingMessage, response as unknown as ServerResponse),
  );
  http2.on("sessionError", () => undefined);
  http2.listen(8101, "::");
  const beyond = createTcpServer((socket) => {
    const splitter = new FrameSplitter(PREFACE_BYTES);
    socket.write(Buffer.concat([settings(), SETTINGS_ACK]));
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      for (const frame of splitter.add(bytes as Buffer)) {
        const { type, streamId } = frame;
        if (type === FRAME_TYPE.rstStream) resets.push(describeFrame(frame));
        if (type !== FRAME_TYPE.headers) continue;
        socket.write(headers(streamId, [[":status", "200"]]));
        for (let sent = 0; sent < BEYOND; sent += 16_384) socket.write(data(streamId, 16_384));
      }
    });
  });
  beyond.listen(8102, "::", () => process.stdout.write("listening\n"));
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) serve();
