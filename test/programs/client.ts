/**
 * What a scenario test does inside a pod, as a command that prints one line of JSON.
 *
 *   ask HOST PORT                  everything the server says until it ends
 *   upload HOST PORT BYTES         sends, ends its direction, then reads what the server says to that
 *   download HOST 8082 BYTES       counts what comes
 *   prefixed HOST PORT LINE BYTES  like upload, with a first line
 *   reset HOST PORT                sends a byte, waits for an answer, resets
 *   load HOST 8080 SECONDS|eof N [MS]  N callers, one connection for each call, one after another, MS between: how many ended how;
 *                                  `direct`: the server saw our own port, as it would not if a proxy were between us; only ports
 *                                  count that the proxy never comes from, or one call in 50,000 would be direct by chance
 *   hold HOST PORT N UNTIL         opens N connections to an echo, keeps them busy, and says how many lived; UNTIL: milliseconds,
 *                                  or `eof`: until the input ends. Prints `held` when all of them are open
 *   requests HOST 8087 SECONDS|eof N EACH   N callers of HTTP, so many requests on each connection: how many ended how
 *   outlast HOST 8085              keeps a connection to an echo busy until the other side ends it, and says how that was. Prints
 *                                  `held` when it is open
 *   burst HOST 8081 COUNT N        the same for so many calls in which the caller ends its direction first
 *
 * A connection that breaks is a result: {"error": "ECONNRESET", ...}.
 */
import { createHash } from "node:crypto";
import { Agent, get } from "node:http";
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
/** The last of LOCAL_PORTS in proxy/kernel/pod-sockets.ts. */
const LAST_PROXY_PORT = 32_767;

/** One connection for each call: Node.js would try a name's next address when the first is reset at once. */
const open = (): Socket => {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, autoSelectFamily: false });
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

/** Whether to go on: for so many seconds, or until the input ends. */
const goesOnFor = (how: string): (() => boolean) => {
  const until = performance.now() + Number(how) * 1000;
  if (how !== "eof") return () => performance.now() < until;
  let isToEnd = false;
  process.stdin.resume().once("end", () => (isToEnd = true));
  return () => !isToEnd;
};

const load = (how: string, callers: number, pauseMs: number): Promise<object> =>
  callWhile(goesOnFor(how), callers, { pauseMs, endsFirst: false });

const burst = (count: number, callers: number): Promise<object> => {
  let left = count;
  return callWhile(() => left-- > 0, callers, { pauseMs: 0, endsFirst: true });
};

/** How each caller calls. Who ends its direction first leaves the port resting. */
interface CallHabit {
  readonly pauseMs: number;
  readonly endsFirst: boolean;
}

const callWhile = async (
  goesOn: () => boolean,
  callers: number,
  { pauseMs, endsFirst }: CallHabit,
): Promise<object> => {
  const counts = { ok: 0, refused: 0, reset: 0, other: 0, direct: 0 };
  const call = async (): Promise<void> => {
    while (goesOn()) {
      const socket = open();
      let port: number | undefined;
      socket.once("connect", () => (port = socket.localPort));
      if (endsFirst) socket.end();
      const { error, text = "" } = await drain(socket, true);
      if (error === undefined && text !== "") counts.ok++;
      else if (error === "ECONNREFUSED") counts.refused++;
      else if (error === "ECONNRESET" || error === "EPIPE" || error === undefined) counts.reset++;
      else counts.other++;
      const { peerPort = 0 } = text === "" ? {} : (JSON.parse(text) as { peerPort?: number });
      if (peerPort === port && peerPort > LAST_PROXY_PORT) counts.direct++;
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return counts;
};

/** A connection to an echo that something is always under way on. */
interface Held {
  readonly socket: Socket;
  sent: number;
  echoed: number;
  isBroken: boolean;
}

const EXCHANGE_MS = 100;
const LAST_ECHO_MS = 5_000;

const keepBusy = (): Held => {
  const held: Held = { socket: open(), sent: 0, echoed: 0, isBroken: false };
  const say = (): void => {
    held.sent++;
    held.socket.write("x");
  };
  say();
  const timer = setInterval(say, EXCHANGE_MS);
  held.socket.on("data", (chunk) => (held.echoed += chunk.length));
  held.socket.on("error", () => undefined);
  held.socket.once("close", () => {
    clearInterval(timer);
    held.isBroken = true;
  });
  return held;
};

/** Resolves when something is so of all of them, of those that are broken anyway; or when the time is up. */
const untilAll = async (all: readonly Held[], isSo: (held: Held) => boolean, milliseconds: number): Promise<void> => {
  const deadline = performance.now() + milliseconds;
  while (performance.now() < deadline && !all.every((held) => held.isBroken || isSo(held))) {
    await new Promise((resolve) => setTimeout(resolve, EXCHANGE_MS / 10));
  }
};

/** A survivor is still there at the end, and everything that was ever said on it came back. */
const hold = async (count: number, until: string): Promise<object> => {
  const all = Array.from({ length: count }, keepBusy);
  await untilAll(all, ({ echoed }) => echoed > 0, TIMEOUT_MS);
  const opened = all.filter(({ echoed }) => echoed > 0).length;
  process.stdout.write("held\n");
  let isToEnd = false;
  if (until === "eof") process.stdin.resume().once("end", () => (isToEnd = true));
  await untilAll(all, () => isToEnd, until === "eof" ? Number.POSITIVE_INFINITY : Number(until));
  const said = all.map(({ sent }) => sent);
  await untilAll(all, (held) => held.echoed >= (said[all.indexOf(held)] ?? 0), LAST_ECHO_MS);
  const survivors = all.filter((held, index) => !held.isBroken && held.echoed >= (said[index] ?? 0)).length;
  for (const { socket } of all) socket.destroy();
  return { echoed: opened, survivors };
};

/** One connection of keep-alive for so many requests, then the next. */
const requests = async (how: string, callers: number, each: number): Promise<object> => {
  const goesOn = goesOnFor(how);
  const counts: Record<string, number> = { ok: 0, connections: 0 };
  const ask = (agent: Agent): Promise<string> =>
    new Promise((resolve) => {
      const asked = get({ host, port, agent, timeout: TIMEOUT_MS }, (answer) => {
        answer.resume();
        answer.once("end", () => resolve(answer.complete && answer.statusCode === 200 ? "ok" : "short"));
        answer.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      });
      asked.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  const call = async (): Promise<void> => {
    while (goesOn()) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      counts.connections = (counts.connections ?? 0) + 1;
      for (let left = each; left > 0; left--) {
        const outcome = await ask(agent);
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      }
      agent.destroy();
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return counts;
};

const outlast = async (): Promise<object> => {
  const held = keepBusy();
  const ending = new Promise<string>((resolve) => {
    held.socket.once("end", () => resolve("end"));
    held.socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  await untilAll([held], ({ echoed }) => echoed > 0, TIMEOUT_MS);
  process.stdout.write("held\n");
  const ended = await ending;
  held.socket.end();
  return { ended };
};

const run = (): Promise<object> => {
  const [first = "", second = "", third = "0"] = rest;
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
      return load(first, Number(second), Number(third));
    case "requests":
      return requests(first, Number(second), Number(third));
    case "outlast":
      return outlast();
    case "burst":
      return burst(Number(first), Number(second));
    case "hold":
      return hold(Number(first), second);
    default:
      throw new Error(`unknown command ${command}`);
  }
};

process.stdout.write(`${JSON.stringify(await run())}\n`);
process.exit(0);
