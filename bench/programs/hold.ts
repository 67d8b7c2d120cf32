/**
 * Runs in a pod: opens connections, asks once on each, and holds them until its input ends or its time is over. Prints `held N`
 * when all are open.
 *
 *   hold.ts HOST PORT COUNT SECONDS
 */
import { connect, type Socket } from "node:net";

const [host = "", port = "", count = "", seconds = ""] = process.argv.slice(2);
const REQUEST = `GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
/** Opened at the same time: more would fill queues, which is another experiment. */
const AT_ONCE = 20;

const fail = (why: string): never => {
  process.stderr.write(`hold: ${why}\n`);
  process.exit(1);
};

const held: Socket[] = [];
const open = (): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), family: 4, noDelay: true });
    socket.on("connect", () => socket.write(REQUEST));
    socket.once("data", () => {
      held.push(socket);
      resolve();
    });
    socket.on("error", ({ message }) => fail(message));
    socket.on("close", () => fail("a connection was closed"));
  });

process.stdin.on("end", () => process.exit(0)).resume();
setTimeout(() => process.exit(0), Number(seconds) * 1000);
let begun = 0;
const opener = async (): Promise<void> => {
  while (begun < Number(count)) {
    begun++;
    await open();
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, opener));
process.stdout.write(`held ${held.length}\n`);
