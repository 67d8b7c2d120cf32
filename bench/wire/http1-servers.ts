import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { encodeResponseHead } from "#wire/http1/encode-head.ts";
import { RequestReader } from "#wire/http1/request-reader.ts";
import { ANSWER_FIELDS } from "./messages.ts";

/** Answers every request with a head and no content, through wire/http1. */
export const wireHttp1Server = (): Server => createServer({ noDelay: true }, serve);

/** The same through Node's own parser and writer. */
export const nodeHttp1Server = (): Server =>
  createHttpServer({ noDelay: true, keepAliveTimeout: 0, sendDate: false } as object, (_, response) => {
    for (const { name, value } of ANSWER_FIELDS) response.setHeader(name, value);
    response.setHeader("content-length", "0");
    response.end();
  });

/** Answers to what came together leave together. */
const serve = (socket: Socket): void => {
  let answers: Uint8Array[] = [];
  const reader = new RequestReader({
    onHead: () => undefined,
    onData: () => undefined,
    onEnd: () => {
      const framing = { kind: "length", bytes: 0 } as const;
      answers.push(encodeResponseHead({ status: 200, reason: "OK", version: "1.1", fields: ANSWER_FIELDS, framing }));
    },
  });
  socket.on("data", (chunk: Buffer) => {
    for (let at = 0; at < chunk.length;) at += reader.read(chunk.subarray(at));
    socket.write(answers.length === 1 ? (answers[0] ?? "") : Buffer.concat(answers));
    answers = [];
  });
  socket.on("error", () => socket.destroy());
};
