/**
 * Runs in a pod: callers that each send one request after another over a connection that they keep, and connect anew when it
 * breaks. Prints one line of JSON.
 *
 *   load.ts HOST PORT SECONDS CALLERS
 */
import { connect } from "node:net";

const [host = "", port = "", seconds = "", callers = ""] = process.argv.slice(2);
const until = performance.now() + Number(seconds) * 1000;
const counts = { answered: 0, refused: 0, reset: 0, other: 0 };

/** One connection: requests until time is up or it breaks. */
const converse = (): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), noDelay: true });
    const ask = (): void => {
      if (performance.now() > until) socket.end();
      else socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    };
    socket.on("connect", ask);
    // The answers are short: each comes in one piece.
    socket.on("data", () => {
      counts.answered++;
      ask();
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code === "ECONNREFUSED") counts.refused++;
      else if (code === "ECONNRESET" || code === "EPIPE") counts.reset++;
      else counts.other++;
    });
    socket.on("close", () => resolve());
  });

const caller = async (): Promise<void> => {
  while (performance.now() < until) await converse();
};

await Promise.all(Array.from({ length: Number(callers) }, caller));
process.stdout.write(`${JSON.stringify(counts)}\n`);
