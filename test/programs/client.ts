/**
 * What a scenario test does inside a pod, as a command that prints one line of JSON.
 *
 *   ask HOST PORT                  everything the server says until it ends
 *   upload HOST PORT BYTES         sends, ends its direction, then reads what the server says to that
 *   download HOST 8082 BYTES       counts what comes
 *   prefixed HOST PORT LINE BYTES  like upload, with a first line
 *   reset HOST PORT                sends a byte, waits for an answer, resets
 *   load HOST PORT SECONDS N       N callers, one connection for each call, one after another
 *   hold HOST PORT N MILLISECONDS  opens N connections to an echo, keeps them, and says how many lived
 *
 * A connection that breaks is a result: {"error": "ECONNRESET", ...}.
 */
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";

interface Outcome {
  readonly error?: string;
  readonly text?: string;
  readonly bytes?: number;
  readonly sha256?: string;
}

const [command = "", host = "", portText = "", ...rest] = process.argv.slice(2);
const port = Number(portText);
const TIMEOUT_MS = 60_000;

const open = (): Socket => {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("timeout")));
  return socket;
};

/** Reads until the server ends, or the connection breaks. */
const drain = (socket: Socket, keepText: boolean): Promise<Outcome> =>
  new Promise((resolve) => {
    const hash = createHash("sha256");
    let [bytes, text, error] = [0, "", ""];
    socket.on("data", (chunk) => {
      bytes += chunk.length;
      hash.update(chunk);
      if (keepText) text += chunk.toString();
    });
    socket.on("end", () => socket.end());
    socket.on("error", (problem: NodeJS.ErrnoException) => (error = problem.code ?? problem.message));
    socket.on("close", () => {
      const seen = { bytes, ...(keepText ? { text: text.trim() } : { sha256: hash.digest("hex") }) };
      resolve(error === "" ? seen : { ...seen, error });
    });
  });

const BLOCK = Buffer.alloc(65_536, "heddle");

const send = (socket: Socket, bytes: number): void => {
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const block = left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
      left -= block.length;
      if (!socket.write(block)) return void socket.once("drain", more);
    }
    socket.end();
  };
  more();
};

const ask = async (): Promise<Outcome> => drain(open(), true);

const upload = async (firstLine: string, bytes: number): Promise<Outcome> => {
  const socket = open();
  const outcome = drain(socket, true);
  if (firstLine !== "") socket.write(`${firstLine}\n`);
  send(socket, bytes);
  return outcome;
};

const download = async (bytes: number): Promise<Outcome> => {
  const socket = open();
  socket.write(`${bytes}\n`);
  return drain(socket, false);
};

const reset = async (): Promise<Outcome> => {
  const socket = open();
  const outcome = drain(socket, true);
  socket.write("x");
  socket.once("data", () => socket.resetAndDestroy());
  return outcome;
};

const load = async (seconds: number, callers: number): Promise<object> => {
  const until = performance.now() + seconds * 1000;
  const counts = { ok: 0, refused: 0, reset: 0, other: 0 };
  const call = async (): Promise<void> => {
    while (performance.now() < until) {
      const { error, text } = await ask();
      if (error === undefined && text !== "") counts.ok++;
      else if (error === "ECONNREFUSED") counts.refused++;
      else if (error === "ECONNRESET" || error === "EPIPE" || error === undefined) counts.reset++;
      else counts.other++;
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return counts;
};

const hold = async (count: number, milliseconds: number): Promise<object> => {
  const sockets = Array.from({ length: count }, () => open());
  let broken = 0;
  const echoed = await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<boolean>((resolve) => {
          socket.on("error", () => undefined);
          socket.once("close", () => {
            broken++;
            resolve(false);
          });
          socket.once("data", () => resolve(true));
          socket.write("x");
        }),
    ),
  );
  process.stdout.write("held\n");
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  const survivors = count - broken;
  for (const socket of sockets) socket.destroy();
  return { echoed: echoed.filter(Boolean).length, survivors };
};

const run = (): Promise<object> => {
  const [first = "", second = ""] = rest;
  switch (command) {
    case "ask":
      return ask();
    case "upload":
      return upload("", Number(first));
    case "prefixed":
      return upload(first, Number(second));
    case "download":
      return download(Number(first));
    case "reset":
      return reset();
    case "load":
      return load(Number(first), Number(second));
    case "hold":
      return hold(Number(first), Number(second));
    default:
      throw new Error(`unknown command ${command}`);
  }
};

process.stdout.write(`${JSON.stringify(await run())}\n`);
process.exit(0);
