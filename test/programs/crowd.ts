/**
 * Many connections to test/programs/server.ts at once or in a row, as a command that prints one line of JSON. Each must be told
 * that it comes from its own address.
 *
 *   hold HOST 8088 N           opens N connections and prints `held`; when its input ends something goes to and fro on each of
 *                              them, then all are ended
 *   row HOST 8080 N PARALLEL   N short calls, PARALLEL at a time; the caller ends its direction first, as leaves its port resting
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const [command = "", host = "", portText = "", countText = "", parallelText = "256"] = process.argv.slice(2);
const port = Number(portText);
const count = Number(countText);
const TIMEOUT_MS = 120_000;

/** What became of all, by kind: `ok`, `wrong-address`, or the error's code. */
const outcomes: Record<string, number> = {};
const note = (outcome: string): void => void (outcomes[outcome] = (outcomes[outcome] ?? 0) + 1);

const open = (allowHalfOpen: boolean): Socket => {
  const socket = connect({ host, port, noDelay: true, autoSelectFamily: false, allowHalfOpen });
  return socket.setTimeout(TIMEOUT_MS, () => socket.destroy(Object.assign(new Error(), { code: "timeout" })));
};

const isFromOwnAddress = (line: string, ownAddress: string | undefined): boolean =>
  (JSON.parse(line) as { peer: string }).peer === ownAddress?.replace(/^::ffff:/, "");

/** @returns the socket if it opened, and whoever answers saw our address */
const openOne = (): Promise<Socket | undefined> => {
  const { promise, resolve } = Promise.withResolvers<Socket | undefined>();
  const socket = open(false);
  let problem = "ended";
  const fail = (): void => {
    note(problem);
    resolve(undefined);
  };
  socket.on("error", (error: NodeJS.ErrnoException) => (problem = error.code ?? error.message));
  socket.once("close", fail);
  let line = "";
  const onData = (piece: Buffer): void => {
    line += String(piece);
    if (!line.includes("\n")) return;
    socket.off("data", onData);
    if (isFromOwnAddress(line, socket.localAddress)) {
      socket.off("close", fail);
      resolve(socket);
    } else {
      problem = "wrong-address";
      socket.destroy();
    }
  };
  socket.on("data", onData);
  return promise;
};

const WORDS = "there and back";

const sayOn = async (socket: Socket): Promise<void> => {
  if (socket.destroyed) return note("lost");
  let heard = "";
  socket.on("data", (chunk: Buffer) => {
    heard += String(chunk);
    if (heard.length < WORDS.length) return;
    note(heard === WORDS ? "ok" : "wrong-bytes");
    socket.end();
  });
  socket.write(WORDS);
  await new Promise((resolve) => socket.once("close", resolve));
  if (heard.length < WORDS.length) note("unanswered");
};

const callOne = (): Promise<void> =>
  new Promise((resolve) => {
    const socket = open(true);
    let [line, own, problem]: [string, string | undefined, string | undefined] = ["", undefined, undefined];
    socket.once("connect", () => (own = socket.localAddress));
    socket.on("data", (chunk: Buffer) => (line += String(chunk)));
    socket.on("error", (error: NodeJS.ErrnoException) => (problem = error.code ?? error.message));
    socket.once("close", () => {
      note(problem ?? (line === "" ? "empty" : isFromOwnAddress(line, own) ? "ok" : "wrong-address"));
      resolve();
    });
    socket.end();
  });

/** Runs `one` so many times, a number of them at a time. */
const inParallel = async (one: () => Promise<void>): Promise<void> => {
  let left = count;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: Number(parallelText) }, caller));
};

if (command === "hold") {
  const held: Socket[] = [];
  await inParallel(async () => {
    const socket = await openOne();
    if (socket) held.push(socket);
  });
  process.stdout.write("held\n");
  await once(process.stdin.resume(), "end");
  await Promise.all(held.map(sayOn));
} else await inParallel(callOne);
process.stdout.write(`${JSON.stringify(outcomes)}\n`, () => process.exit(0));
