/**
 * Runs in a pod: asks for the same large file again and again over one connection, and throws it away. Prints one line of JSON.
 *
 *   bulk.ts HOST PORT SECONDS PATH
 */
import { connect } from "node:net";

const [host = "", port = "", seconds = "", path = ""] = process.argv.slice(2);
const REQUEST = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
/** Read into one buffer of its own, so that what is measured is not this program's garbage. */
const BUFFER_BYTES = 256 * 1024;

let received = 0;
/** Of the answer that comes in; undefined in its head. */
let remaining: number | undefined;
let head = "";
let stoppedAt = 0;

const take = (bytes: Uint8Array): void => {
  received += bytes.length;
  for (let at = 0; at < bytes.length;) at = remaining === undefined ? takeHead(bytes, at) : takeBody(bytes, at);
};

const takeHead = (bytes: Uint8Array, from: number): number => {
  const before = head.length;
  head += Buffer.from(bytes.subarray(from)).toString("latin1");
  const end = head.indexOf("\r\n\r\n");
  if (end < 0) return bytes.length;
  remaining = Number(/^content-length: *([0-9]+)\r?$/im.exec(head.slice(0, end + 2))?.[1] ?? Number.NaN);
  if (!head.startsWith("HTTP/1.1 200") || Number.isNaN(remaining))
    fail(`an answer that it cannot read: ${head.slice(0, end)}`);
  head = "";
  return from + end + 4 - before;
};

const takeBody = (bytes: Uint8Array, from: number): number => {
  const taken = Math.min(remaining ?? 0, bytes.length - from);
  remaining = (remaining ?? 0) - taken;
  if (remaining === 0) {
    remaining = undefined;
    socket.write(REQUEST);
  }
  return from + taken;
};

const fail = (why: string): never => {
  process.stderr.write(`bulk: ${why}\n`);
  process.exit(1);
};

const start = performance.now();
const callback = (length: number, buffer: Uint8Array): boolean => {
  take(buffer.subarray(0, length));
  return true;
};
const socket = connect({
  host,
  port: Number(port),
  family: 4,
  noDelay: true,
  onread: { buffer: Buffer.allocUnsafe(BUFFER_BYTES), callback },
});
socket.on("connect", () => socket.write(REQUEST));
socket.on("error", ({ message }) => fail(message));
socket.on("close", () => {
  if (stoppedAt === 0) fail("the connection was closed");
  process.stdout.write(`${JSON.stringify({ bytes: received, elapsedMs: stoppedAt - start })}\n`);
});
setTimeout(
  () => {
    stoppedAt = performance.now();
    socket.destroy();
  },
  Number(seconds) * 1000,
);
