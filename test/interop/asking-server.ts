import { once } from "node:events";
import type { ChildProcess } from "node:child_process";
import { connect, createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { type Answer, ask, listening, ownClient, type OwnClient, request } from "./http2-peers.ts";

/** What is asked for. */
export interface Wanted {
  readonly path: string;
  readonly body?: Uint8Array;
}

/** How a request was answered, and how often it was sent until then. */
export interface Got {
  readonly wanted: Wanted;
  readonly answer: Answer;
  readonly times: number;
}

/** Requests that are answered, and the connections that it took. */
export interface Asked {
  readonly got: readonly Got[];
  readonly clients: readonly OwnClient[];
}

/** A request that the server has not looked at: it may be sent again (RFC 9113 section 8.7). */
const REFUSED_STREAM = 7;

/**
 * Sends all requests, as many at once as the server allows; on another connection when it lets none follow.
 * @param atOnce no more than this
 * @throws Error when a connection answers nothing
 */
export const askAll = async (port: number, wanted: readonly Wanted[], atOnce = 100): Promise<Asked> => {
  const left = wanted.map((each) => ({ wanted: each, times: 0 }));
  const got: Got[] = [];
  const clients: OwnClient[] = [];
  while (got.length < wanted.length) {
    const before = got.length;
    const client = await ownClient(port);
    clients.push(client);
    const open = new Set<Promise<void>>();
    const { connection } = client.transport;
    while (left.length + open.size > 0) {
      while (connection.room > 0 && open.size < atOnce) {
        const next = left.shift();
        if (next === undefined) break;
        const one = { ...next, times: next.times + 1 };
        const { path, body } = one.wanted;
        const answer = ask(client, request(body === undefined ? "GET" : "POST", path), body);
        const finish = async (): Promise<void> => {
          await answer.done;
          open.delete(done);
          if (answer.reset === REFUSED_STREAM) left.push(one);
          else got.push({ ...one, answer });
        };
        const done: Promise<void> = finish();
        open.add(done);
      }
      if (open.size === 0) break;
      await Promise.race(open);
    }
    client[Symbol.dispose]();
    if (got.length === before) throw new Error(`a connection to port ${port} answered nothing`);
  }
  return { got, clients };
};

/** A port of the loopback that nobody listens on. */
export const freePort = async (): Promise<number> => {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, "close");
  return port;
};

/** Until a server that was started accepts connections. @throws Error with what it says when it ends instead */
export const untilListening = async (child: ChildProcess, port: number): Promise<void> => {
  let said = "";
  child.stderr?.on("data", (text: Buffer) => (said += text.toString()));
  child.stdout?.resume();
  while (child.exitCode === null && child.signalCode === null) {
    if (await accepts(port)) return;
    await wait(20);
  }
  throw new Error(`the server has ended: ${said}`);
};

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
