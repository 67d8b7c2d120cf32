import { request } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { Http1Error } from "#wire/http1/http1-error.ts";
import type { ReceivedResponseHead } from "#wire/http1/head.ts";
import type { AwaitedResponse } from "#wire/http1/parse-response-head.ts";
import { ResponseReader } from "#wire/http1/response-reader.ts";
import { CASE_FIELD } from "./http1-response-origin.ts";

/** The final answer to a request, as somebody understood it. */
export interface UnderstoodResponse {
  readonly status: number;
  /** Latin1; of a tunnel, what came through it. */
  readonly content: string;
  /** Whether its end came; else it was broken off. */
  readonly isComplete: boolean;
}

/** What our parser makes of the bytes of a connection that then ends. */
export interface OurResponse {
  readonly response: (UnderstoodResponse & { readonly head: ReceivedResponseHead }) | undefined;
  readonly informational: readonly ReceivedResponseHead[];
}

export const understoodByUs = (awaited: AwaitedResponse, bytes: Uint8Array): OurResponse => {
  const informational: ReceivedResponseHead[] = [];
  const parts: Uint8Array[] = [];
  let head: ReceivedResponseHead | undefined;
  let isComplete = false;
  const reader = new ResponseReader({
    onInformational: (its) => informational.push(its),
    onHead: (its) => (head = its),
    onData: (data) => parts.push(data),
    onEnd: () => (isComplete = true),
  });
  reader.await(awaited);
  try {
    let at = 0;
    while (at < bytes.length) {
      const taken = reader.read(bytes.subarray(at));
      at += taken;
      if (taken > 0 || head?.framing.kind !== "tunnel") continue;
      parts.push(bytes.subarray(at));
      break;
    }
    reader.readEnd();
    isComplete ||= head?.framing.kind === "tunnel";
  } catch (error) {
    if (!(error instanceof Http1Error)) throw error;
  }
  if (head === undefined) return { response: undefined, informational };
  const content = Buffer.concat(parts).toString("latin1");
  return { response: { status: head.status, content, isComplete, head }, informational };
};

/** Longer than every timeout that the peers have. */
const GIVE_UP_MS = 10_000;

/** What a peer made of an answer: nothing if it is no answer to it. */
export type Theirs = UnderstoodResponse | "refused" | "undecided";

/** A parser of answers: given the number of a case, it asks the origin for it. */
export interface ResponsePeer {
  readonly name: string;
  /** Whether it can send such a request. */
  readonly asks: (awaited: AwaitedResponse) => boolean;
  readonly ask: (awaited: AwaitedResponse, number: number) => Promise<Theirs>;
  readonly stop: () => Promise<void>;
}

/** Asks a proxy before the origin, and reads what it makes of the answer. */
export const askThrough = async (
  port: number,
  { method, upgrade }: AwaitedResponse,
  number: number,
): Promise<Theirs> => {
  const target = method === "CONNECT" ? "a:80" : "/";
  const connection = upgrade.length > 0 ? `upgrade\r\nUpgrade: ${upgrade.join(", ")}` : "close";
  const head = `${method} ${target} HTTP/1.1\r\nHost: a:80\r\n${CASE_FIELD}: ${number}\r\nConnection: ${connection}\r\n\r\n`;
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const parts: Buffer[] = [];
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    socket.destroy();
  }, GIVE_UP_MS);
  socket.on("data", (part: Buffer) => {
    parts.push(part);
    // An answer to an offer may leave the connection open: it is complete without an end.
    if (upgrade.length > 0 && readSimply(method, Buffer.concat(parts).toString("latin1"), false) !== undefined)
      socket.end();
  });
  const how = await endOf(socket, () => socket.write(head));
  clearTimeout(timer);
  if (isLate) return "undecided";
  return readSimply(method, Buffer.concat(parts).toString("latin1"), how === "end") ?? "refused";
};

const endOf = (socket: Duplex, begin: () => void): Promise<"end" | "reset"> =>
  new Promise((resolve) => {
    let isEnded = false;
    socket.once("end", () => {
      isEnded = true;
      socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(isEnded ? "end" : "reset"));
    begin();
  });

/** Reads what a proxy writes: well formed, so this may be simple. @returns undefined while there is no final head, or no end */
const readSimply = (method: string, text: string, hasEnded: boolean): UnderstoodResponse | undefined => {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd + 2);
  const rest = text.slice(headEnd + 4);
  const status = Number(head.slice(9, 12));
  if (status < 200 && status !== 101) return readSimply(method, rest, hasEnded);
  const complete = (content: string): UnderstoodResponse => ({ status, content, isComplete: true });
  const brokenOff = (content: string): UnderstoodResponse => ({ status, content, isComplete: false });
  if (status === 101 || (method === "CONNECT" && status < 300)) return hasEnded ? complete(rest) : undefined;
  if (method === "HEAD" || status === 204 || status === 304) return complete("");
  if (/^transfer-encoding: *chunked/im.test(head)) {
    const { content, isDone } = dechunk(rest);
    if (isDone) return complete(content);
    return hasEnded ? brokenOff(content) : undefined;
  }
  const [, length] = /^content-length: *([0-9]+) *\r$/im.exec(head) ?? [];
  if (length === undefined) return hasEnded ? complete(rest) : brokenOff(rest);
  if (rest.length >= Number(length)) return complete(rest.slice(0, Number(length)));
  return brokenOff(rest);
};

const dechunk = (text: string): { readonly content: string; readonly isDone: boolean } => {
  let content = "";
  for (let at = 0; ;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return { content, isDone: false };
    const [, digits] = /^([0-9a-f]{1,8})(?:[ \t;]|$)/i.exec(text.slice(at, lineEnd)) ?? [];
    if (digits === undefined) return { content, isDone: false };
    const size = Number.parseInt(digits, 16);
    at = lineEnd + 2;
    if (size === 0) return { content, isDone: text.slice(lineEnd).includes("\r\n\r\n") };
    content += text.slice(at, at + size);
    if (at + size + 2 > text.length) return { content, isDone: false };
    at += size + 2;
  }
};

/** Asks the origin with Node's client. */
export const askWithNode = (port: number, { method, upgrade }: AwaitedResponse, number: number): Promise<Theirs> =>
  new Promise((resolve) => {
    const headers: Record<string, string> = { [CASE_FIELD]: String(number), Connection: "close" };
    if (upgrade.length > 0) Object.assign(headers, { Connection: "upgrade", Upgrade: upgrade.join(", ") });
    const path = method === "CONNECT" ? "a:80" : "/";
    const asked = request({ port, host: "127.0.0.1", method, path, headers, agent: false, maxHeaderSize: 64 * 1024 });
    const done = (theirs: Theirs): void => {
      clearTimeout(timer);
      resolve(theirs);
      asked.destroy();
    };
    const timer = setTimeout(() => done("undecided"), GIVE_UP_MS);
    const tunnel = async (status: number | undefined, socket: Duplex, head: Buffer): Promise<void> => {
      const parts = [head];
      socket.on("data", (part: Buffer) => parts.push(part));
      const how = await endOf(socket, () => undefined);
      done({ status: status ?? 0, content: Buffer.concat(parts).toString("latin1"), isComplete: how === "end" });
    };
    asked.on("upgrade", (response, socket, head) => void tunnel(response.statusCode, socket, head));
    asked.on("connect", (response, socket, head) => void tunnel(response.statusCode, socket, head));
    asked.on("response", (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      const end = (): void => {
        const content = Buffer.concat(parts).toString("latin1");
        done({ status: response.statusCode ?? 0, content, isComplete: response.complete });
      };
      response.once("error", end);
      response.once("close", end);
    });
    asked.on("error", () => setImmediate(() => done("refused")));
    asked.end();
  });
