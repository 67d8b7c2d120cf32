/**
 * A WebSocket client (ws) in a pod.
 *
 *   exact URL     what has to be exact of a WebSocket, as one line of JSON
 *   hold URL      sends a message every 20 ms and expects it back; prints the server's first message when the first has come
 *                 back; then, when its input ends, one line of JSON: how many did not come back in order, and how it ended
 */
import { once } from "node:events";
import { WebSocket } from "ws";

const [command = "", url = ""] = process.argv.slice(2);
const EVERY_MS = 20;

const opened = async (path: string): Promise<{ readonly socket: WebSocket; readonly first: string }> => {
  const socket = new WebSocket(url + path, "chat");
  const [data] = (await once(socket, "message")) as [Buffer];
  return { socket, first: data.toString() };
};

const exact = async (): Promise<object> => {
  const { socket } = await opened("/echo?a=b");
  const back = async (data: string | Buffer): Promise<readonly [Buffer, boolean]> => {
    socket.send(data);
    return (await once(socket, "message")) as [Buffer, boolean];
  };
  const large = Buffer.alloc(2_000_000, "0123456789");
  const [text, isTextBinary] = await back("grüß dich");
  const [bytes, isBinary] = await back(large);
  const [empty] = await back("");
  socket.ping("are you there");
  const [pong] = (await once(socket, "pong")) as [Buffer];
  const { protocol, extensions } = socket;
  socket.close(4_000, "done");
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  const ended = new WebSocket(`${url}/end`);
  const [endCode, endReason] = (await once(ended, "close")) as [number, Buffer];
  const refused = new WebSocket(`${url}/refused`);
  const [, response] = (await once(refused, "unexpected-response")) as [unknown, { readonly statusCode: number }];
  return {
    text: text.toString(),
    isTextBinary,
    isEqual: bytes.equals(large),
    isBinary,
    empty: empty.length,
    pong: pong.toString(),
    protocol,
    extensions,
    close: [code, reason.toString()],
    end: [endCode, endReason.toString()],
    refused: response.statusCode,
  };
};

const hold = async (): Promise<object> => {
  const { socket, first } = await opened("/echo");
  let [sent, echoed] = [0, 0];
  let how = "open";
  socket.on("message", (data: Buffer) => {
    if (data.toString() === String(echoed)) echoed++;
    if (echoed === 1) process.stdout.write(`${first}\n`);
  });
  socket.on("close", (code) => (how = `closed ${code}`));
  socket.on("error", (error) => (how = error.message));
  const timer = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send(String(sent++)), EVERY_MS);
  process.stdin.resume();
  await once(process.stdin, "end");
  clearInterval(timer);
  const result = { ended: how };
  socket.close();
  await once(socket, "close");
  // All that was sent before the closing frame comes back before the answer to it.
  return { ...result, lost: sent - echoed };
};

process.stdout.write(`${JSON.stringify(command === "exact" ? await exact() : await hold())}\n`);
process.exit(0);
