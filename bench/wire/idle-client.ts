/**
 * Opens connections, has one request answered on each, and holds them until its input ends. Prints `held` when all are open.
 *
 *   idle-client.ts PORT COUNT http1|http2|nothing
 */
import { connect } from "node:net";
import { FLAG, FRAME_TYPE } from "#wire/http2/frame-header.ts";
import { HpackEncoder } from "#wire/http2/hpack/hpack-encoder.ts";
import { requestBytes, requestSection } from "./messages.ts";
import { frame, RawHttp2 } from "./raw-http2.ts";

const [port = "", count = "", protocol = ""] = process.argv.slice(2);
/** Nobody waits for it longer than that. */
const MOST_MS = 60_000;

const fail = (reason: string): never => {
  process.stderr.write(`idle-client: ${reason}\n`);
  process.exit(1);
};

const openHttp2 = (): Promise<void> =>
  new Promise((resolve) => {
    const events = { ended: resolve, windowUpdate: () => undefined, settings: () => undefined, closed: fail };
    const client = new RawHttp2(Number(port), events, () => {
      const block = new HpackEncoder(4096).encode(requestSection(0));
      client.write(frame(FRAME_TYPE.headers, FLAG.endHeaders | FLAG.endStream, 1, block));
    });
  });

const openSocket = (): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port: Number(port), noDelay: true });
    socket.on("connect", () => (protocol === "http1" ? socket.write(requestBytes(0)) : resolve()));
    socket.once("data", () => resolve());
    socket.on("error", ({ message }) => fail(message));
    socket.on("close", () => fail("the server closed a connection"));
  });

process.stdin.on("end", () => process.exit(0)).resume();
setTimeout(() => process.exit(0), MOST_MS);
for (let opened = 0; opened < Number(count); opened++) await (protocol === "http2" ? openHttp2() : openSocket());
process.stdout.write("held\n");
