/**
 * Clients that take more time or more room than they may: `http-limits.ts slow|stream|connection|answer HOST`, where HOST has the
 * ports of http-stall-servers.ts. Prints as JSON what they heard.
 */
import { get } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { FRAME_TYPE } from "#wire/http2/frame-header.ts";
import {
  data,
  GET,
  headers,
  POST,
  rawBlock,
  rawFrame,
  type SentFrame,
  settings,
} from "#wire/http2/testing/raw-frames.ts";
import type { StallReport } from "./http-stall-servers.ts";
import { RawHttp2Client } from "./raw-http2-client.ts";

const [, , what = "", host = ""] = process.argv;
const [HTTP1, HTTP2, BEYOND] = [8100, 8101, 8102] as const;
const FRAME_BYTES = 16 * 1024;
const STREAM_WINDOW = 256 * 1024;

const isError = ({ type }: SentFrame): boolean => type === FRAME_TYPE.rstStream || type === FRAME_TYPE.goaway;
const isAnswerTo =
  (id: number) =>
  ({ type, streamId }: SentFrame): boolean =>
    type === FRAME_TYPE.headers && streamId === id;
/** To somebody who reads and answers nothing. */
const hang = (id: number): Uint8Array => headers(id, [...POST.slice(0, -1), [":path", "/hang"]]);

const ask = (path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const asked = get({ host, port: HTTP1, path, agent: false }, (answer) => {
      text(answer).then((said) => resolve(answer.statusCode === 200 ? said : `${answer.statusCode}`), reject);
    });
    asked.on("error", reject);
  });

/** A head that comes letter by letter. */
const drip = (): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host, port: HTTP1 });
    let heard = "";
    socket.write("GET / HTTP/1.1\r\nHost: web\r\nX: ");
    const dripping = setInterval(() => socket.write("x"), 200);
    socket.on("data", (bytes: Buffer) => (heard += bytes.toString("latin1")));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearInterval(dripping);
      resolve(heard);
    });
  });

/** All at the same time; meanwhile somebody else is served. */
const slow = async (): Promise<unknown> => {
  const silent = new RawHttp2Client(host, HTTP2);
  const cut = new RawHttp2Client(host, HTTP2);
  cut.say(settings(), rawFrame(FRAME_TYPE.headers, 0, 1, rawBlock(GET)));
  const over = Promise.all([drip(), silent.until(isError), cut.until(isError)]);
  const others = new Set<string>();
  for (;;) {
    others.add(await ask("/big/0"));
    const heard = await Promise.race([over, delay(200)]);
    if (!heard) continue;
    const [head, preface, block] = heard;
    return { head, preface, block, others: [...others] };
  }
};

/** A client that heeds no window of a stream that nobody reads, and what becomes of the next one. */
const stream = async (): Promise<unknown> => {
  const client = new RawHttp2Client(host, HTTP2);
  client.say(settings(), hang(1));
  for (let sent = 0; sent < 8 * 1024 * 1024; sent += FRAME_BYTES) client.say(data(1, FRAME_BYTES));
  const error = await client.until(isError);
  client.say(headers(3, [...GET.slice(0, -1), [":path", "/big/0"]], true));
  return { error, next: await client.until(isAnswerTo(3)) };
};

/** One whose streams heed theirs, and not that of the connection. */
const connection = async (): Promise<unknown> => {
  const client = new RawHttp2Client(host, HTTP2);
  client.say(settings());
  for (let id = 1; id < 2 * 80; id += 2) {
    client.say(hang(id));
    for (let sent = 0; sent < STREAM_WINDOW; sent += FRAME_BYTES) client.say(data(id, FRAME_BYTES));
  }
  const error = await client.until(isError);
  return { error: error.replace(/last [0-9]+/, "last N"), others: await ask("/big/0") };
};

/** A server that sends more than anybody reads. */
const answer = async (): Promise<unknown> => {
  const client = new RawHttp2Client(host, BEYOND);
  client.say(settings([4, 0]), headers(1, GET, true));
  const error = await client.until(isError);
  const hasHead = client.heard.some(isAnswerTo(1));
  for (;;) {
    const { resets } = JSON.parse(await ask("/report")) as StallReport;
    if (resets.length > 0) return { hasHead, error, resets };
    await delay(100);
  }
};

const CLIENTS: Readonly<Record<string, () => Promise<unknown>>> = { slow, stream, connection, answer };
process.stdout.write(JSON.stringify(await CLIENTS[what]?.()));
process.exit(0);
