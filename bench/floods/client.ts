/** Who behaves well: asks at a fixed rate, each target on a connection of its own. Also the applications behind tunnels. */
import { connect, createServer, type Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { FLAG, FRAME_TYPE } from "#wire/http2/frame-header.ts";
import { PREFACE } from "#wire/http2/preface.ts";
import { settings, SETTINGS_ACK, windowUpdate } from "#wire/http2/testing/raw-frames.ts";
import { listening } from "../wire/listening.ts";
import { FrameScanner } from "./frame-scanner.ts";
import { answer } from "../measure/program.ts";
import { type Application, type Ports, question, QUESTION_BYTES, target, type TargetKind } from "./targets.ts";

const PER_SECOND = 250;
const INTERVAL_MS = 1000 / PER_SECOND;
/** What is still missing then counts as if it came then. */
const LAST_ANSWERS_MS = 2_000;
/** More than a client of the bench ever receives. */
const WINDOW = 2 ** 30;

const MOST_HELD_MS = 5_000;
const PIECE = Buffer.alloc(64 * 1024);
const APPLICATION_SERVERS: Readonly<Record<Application, Server>> = {
  echo: createServer({ noDelay: true }, (socket) => socket.on("error", () => undefined).pipe(socket)),
  read: createServer((socket) => socket.on("error", () => undefined).resume()),
  // A socket that nobody reads does not learn of its end.
  held: createServer((socket) => {
    const timer = setTimeout(() => socket.destroy(), MOST_HELD_MS);
    socket.on("error", () => undefined).on("close", () => clearTimeout(timer));
  }),
  large: createServer((socket) => {
    const send = (): void => {
      while (!socket.destroyed && socket.write(PIECE));
    };
    socket.on("error", () => undefined).on("drain", send);
    // An answer of HTTP/1 whose content has no end, and in a tunnel bytes like others.
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    send();
  }),
};

const replies = {
  applications: async (): Promise<Ports> => {
    const { echo, read, held, large } = APPLICATION_SERVERS;
    return {
      echo: await listening(echo),
      read: await listening(read),
      held: await listening(held),
      large: await listening(large),
    };
  },
  /** @returns how long each answer took from when it was to be asked, in ms; so waiting for a slow one is not left out */
  ask: async ({ kind, port, ports, ms }: { kind: TargetKind; port: number; ports: Ports; ms: number }) => {
    const of = target(kind, ports);
    const tookMs: number[] = [];
    let begin = 0;
    let answeredBytes = 0;
    const answered = (): void => void tookMs.push(performance.now() - begin - tookMs.length * INTERVAL_MS);
    const scanner = new FrameScanner(({ type, flags }, payload) => {
      if (type === FRAME_TYPE.settings && !(flags & FLAG.ack)) socket.write(SETTINGS_ACK);
      if (kind === "http2" && type === FRAME_TYPE.headers) answered();
      if (kind === "http2" || type !== FRAME_TYPE.data) return;
      for (answeredBytes += payload.length; answeredBytes >= QUESTION_BYTES; answeredBytes -= QUESTION_BYTES)
        answered();
    });
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    socket.on("error", () => undefined).on("data", (chunk: Buffer) => scanner.read(chunk));
    socket.write(Buffer.concat([PREFACE, settings([4, WINDOW]), windowUpdate(0, WINDOW)]));
    await delay(GREETING_MS);
    begin = performance.now();
    const count = Math.floor(ms / INTERVAL_MS);
    for (let asked = 0; asked < count;) {
      const due = Math.min(count, Math.floor((performance.now() - begin) / INTERVAL_MS) + 1);
      for (; asked < due; asked++) socket.write(question(of, asked));
      await delay(begin + asked * INTERVAL_MS - performance.now());
    }
    const until = performance.now() + LAST_ANSWERS_MS;
    while (tookMs.length < count && performance.now() < until) await delay(INTERVAL_MS);
    const missing = count - tookMs.length;
    while (tookMs.length < count) answered();
    socket.destroy();
    return { tookMs, missing };
  },
};
/** Beginning is not what is measured. */
const GREETING_MS = 50;

export type GoodClient = typeof replies;
answer(replies);
