/**
 * Runs in a pod: callers that connect, ask once, read the answer to its end, and connect anew. Prints one line of JSON.
 *
 *   connections.ts HOST PORT SECONDS CALLERS MOST
 */
import { connect } from "node:net";

const [host = "", port = "", seconds = "", callers = "", most = ""] = process.argv.slice(2);
const REQUEST = `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
const ANSWER_MS = 5_000;

let begun = 0;
const counts = { answered: 0, failed: 0 };

/** One connection, until the server has closed it. */
const call = (): Promise<void> =>
  new Promise((resolve) => {
    begun++;
    let isAnswered = false;
    const socket = connect({ host, port: Number(port), family: 4, noDelay: true, timeout: ANSWER_MS });
    socket.on("connect", () => socket.write(REQUEST));
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => (isAnswered ||= text.startsWith("HTTP/1.1 200")));
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", (hadError) => {
      if (isAnswered && !hadError) counts.answered++;
      else counts.failed++;
      resolve();
    });
  });

const start = performance.now();
const until = start + Number(seconds) * 1000;
const caller = async (): Promise<void> => {
  while (performance.now() < until && begun < Number(most)) await call();
};
await Promise.all(Array.from({ length: Number(callers) }, caller));
process.stdout.write(`${JSON.stringify({ ...counts, elapsedMs: performance.now() - start })}\n`);
