/**
 * A server for scenario tests that knows nothing of any mesh. Each port has one habit:
 *
 *   8080 whoami    says one line of JSON: who called, at which address, in which pod; then ends
 *   8081 digest    reads until the caller ends its direction, then says how many bytes came and their SHA-256 (half-close)
 *   8082 source    reads a line with a number, sends so many bytes, and ends
 *   8083 reset     resets the connection at the first byte
 *   8084 stubborn  reads nothing for as many milliseconds as its first line says, then digests like 8081
 *   8085 echo      sends back whatever comes, until the caller ends
 *   8086 farewell  ends its own direction at once, then digests what comes after that into its log
 *   8087 http      answers every request with the caller's address; keep-alive
 *   8088 greeter   says the same line as 8080, then sends back whatever comes, until the caller ends
 */
import { createHash } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Socket } from "node:net";
import { hostname } from "node:os";

/** As much as the kernel allows: for many callers at once. */
const BACKLOG = 65_535;
const BLOCK = Buffer.alloc(65_536, "heddle");

const plain = (address: string | undefined): string => (address ?? "").replace(/^::ffff:/, "");

const whoami = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string => {
  const line = { peer: plain(remoteAddress), peerPort: remotePort, own: plain(localAddress), port: localPort };
  return `${JSON.stringify({ ...line, pod: hostname() })}\n`;
};

const digest = (socket: Socket, onDone: (line: string) => void = (line) => socket.end(line)): void => {
  const hash = createHash("sha256");
  let bytes = 0;
  socket.on("data", (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  socket.on("end", () => onDone(`${JSON.stringify({ bytes, sha256: hash.digest("hex") })}\n`));
};

const firstLine = (socket: Socket, onLine: (line: string, rest: Buffer) => void): void => {
  let held = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    held = Buffer.concat([held, chunk]);
    const end = held.indexOf(10);
    if (end < 0) return;
    socket.off("data", onData);
    onLine(held.subarray(0, end).toString(), held.subarray(end + 1));
  };
  socket.on("data", onData);
};

const source = (socket: Socket): void =>
  firstLine(socket, (line) => {
    let left = Number(line);
    const send = (): void => {
      while (left > 0) {
        const block = left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
        left -= block.length;
        if (!socket.write(block)) return void socket.once("drain", send);
      }
      socket.end();
    };
    send();
  });

const stubborn = (socket: Socket): void =>
  firstLine(socket, (line, rest) => {
    socket.pause();
    setTimeout(() => {
      digest(socket);
      if (rest.length > 0) socket.unshift(rest);
      socket.resume();
    }, Number(line));
  });

const habits: Readonly<Record<number, (socket: Socket) => void>> = {
  8080: (socket) => void socket.end(whoami(socket)),
  8081: (socket) => digest(socket),
  8082: source,
  8083: (socket) => socket.once("data", () => socket.resetAndDestroy()),
  8084: stubborn,
  8085: (socket) => socket.pipe(socket),
  8086: (socket) => {
    socket.end("bye\n");
    digest(socket, (line) => process.stdout.write(line));
  },
  8088: (socket) => {
    socket.write(whoami(socket));
    socket.pipe(socket);
  },
};

for (const [port, habit] of Object.entries(habits)) {
  createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", (error: NodeJS.ErrnoException) => process.stdout.write(`${port}: ${error.code}\n`));
    habit(socket);
  }).listen(Number(port), process.env.LISTEN ?? "::", BACKLOG);
}
createHttpServer((request, response) => {
  process.stdout.write(`${request.method} ${request.url} from ${plain(request.socket.remoteAddress)}\n`);
  response.end(`${plain(request.socket.remoteAddress)} ${hostname()}\n`);
}).listen(8087, process.env.LISTEN ?? "::", () => process.stdout.write("listening\n"));
