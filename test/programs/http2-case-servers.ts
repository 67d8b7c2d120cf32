/**
 * The applications of http2-case-rows.ts, in a pod: for each row of requests one of node:http2, which answers 200 when a request
 * has ended; for each row of answers one that sends its bytes when it is asked.
 */
import { createServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcpServer, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { FRAME_TYPE } from "#wire/http2/frame-header.ts";
import { describeFrame, settings, SETTINGS_ACK } from "#wire/http2/testing/raw-frames.ts";
import {
  type Arrived,
  type ArrivedRequest,
  FLOOD_PORT,
  FrameSplitter,
  REQUEST_ROWS,
  RESPONSE_ROWS,
  SEEN_PORT,
} from "./http2-case-rows.ts";

const PREFACE_BYTES = 24;
let requests: Record<number, ArrivedRequest[]> = {};
let frames: Record<number, string[]> = {};

const inPairs = (raw: readonly unknown[]): readonly (readonly [string, string])[] =>
  raw.flatMap((name, at) => (at % 2 === 0 ? [[String(name), String(raw[at + 1])] as const] : []));

const read = async (port: number, stream: ServerHttp2Stream, raw: readonly unknown[]): Promise<void> => {
  const all = inPairs(raw);
  const pseudo = (name: string): string => all.find(([own]) => own === name)?.[1] ?? "";
  const fields = all.filter(([name]) => !name.startsWith(":"));
  let trailers = "";
  stream.on("trailers", (_, __, rawTrailers: unknown) => {
    trailers = inPairs(rawTrailers as readonly unknown[])
      .map((pair) => pair.join("="))
      .join();
  });
  const content = await buffer(stream).catch(() => undefined);
  const isComplete = content !== undefined && !stream.aborted;
  (requests[port] ??= []).push({
    method: pseudo(":method"),
    authority: pseudo(":authority"),
    path: pseudo(":path"),
    fields,
    content: content?.toString("latin1") ?? "",
    trailers,
    isComplete,
  });
  if (stream.destroyed || !isComplete) return;
  stream.respond({ ":status": 200 });
  stream.end("ok");
};

const take = (port: number): void => {
  const server = createHttp2Server();
  server.on("sessionError", () => undefined);
  server.on("stream", (stream: ServerHttp2Stream, _, __, raw: unknown) => {
    stream.on("error", () => undefined);
    void read(port, stream, raw as readonly unknown[]);
  });
  server.listen(port, "::");
};

const answer = (port: number, sent: readonly Uint8Array[]): void => {
  const onConnection = (socket: Socket): void => {
    const splitter = new FrameSplitter(PREFACE_BYTES);
    socket.write(Buffer.concat([settings(), SETTINGS_ACK]));
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      for (const frame of splitter.add(bytes as Buffer)) {
        if (frame.type === FRAME_TYPE.headers && frame.streamId === 1) socket.write(Buffer.concat(sent));
        if (frame.type === FRAME_TYPE.rstStream || frame.type === FRAME_TYPE.goaway) {
          (frames[port] ??= []).push(describeFrame(frame));
        }
      }
    });
  };
  createTcpServer(onConnection).listen(port, "::");
};

for (const { port } of REQUEST_ROWS) take(port);
take(FLOOD_PORT);
for (const { port, sent } of RESPONSE_ROWS) answer(port, sent);
createServer((_, response) => {
  response.end(JSON.stringify({ requests, frames } satisfies Arrived));
  [requests, frames] = [{}, {}];
}).listen(SEEN_PORT, "::", () => process.stdout.write("listening\n"));
