import { connect } from "node:net";
import type { Load } from "./load.ts";
import { requestBytes } from "./messages.ts";

const CONNECTIONS = 4;
/** Written at once, so that heads cost more than system calls. */
const BATCH = 16;
const HEAD_END = Buffer.from("\r\n\r\n");

/** Requests over kept connections, a batch on each, and the next batch when all of one are answered. */
export const http1Requests: Load = (port, isOver, count) =>
  Promise.all(Array.from({ length: CONNECTIONS }, () => converse(port, isOver, count)));

const converse = (port: number, isOver: () => boolean, count: (requests: number) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const batch = Buffer.concat(Array.from({ length: BATCH }, (_, number) => requestBytes(number)));
    const socket = connect({ host: "127.0.0.1", port, noDelay: true }, () => socket.write(batch));
    let tail: Buffer = Buffer.alloc(0);
    let answered = 0;
    socket.on("data", (chunk: Buffer) => {
      const bytes = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
      let from = 0;
      for (let at = bytes.indexOf(HEAD_END); at >= 0; at = bytes.indexOf(HEAD_END, from)) {
        from = at + HEAD_END.length;
        answered++;
      }
      tail = bytes.subarray(Math.max(from, bytes.length - HEAD_END.length + 1));
      if (answered < BATCH) return;
      count(answered);
      answered = 0;
      if (isOver()) socket.destroy();
      else socket.write(batch);
    });
    socket.on("error", reject);
    socket.on("close", () => (isOver() ? resolve() : reject(new Error("the server closed a connection"))));
  });
