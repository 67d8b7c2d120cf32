import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** For tests: a server on loopback, gone with the test, and what it accepted so far. */
export const loopbackServer = async (
  onConnection: (socket: Socket) => void = () => undefined,
  allowHalfOpen = true,
): Promise<{ readonly port: number; readonly server: Server; readonly accepted: readonly Socket[] }> => {
  const accepted: Socket[] = [];
  const server = createServer({ allowHalfOpen }, (socket) => {
    accepted.push(socket);
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server, accepted };
};

/** For tests: both ends of a TCP connection, gone with the test. */
export const loopbackPair = async (allowHalfOpen = true): Promise<readonly [near: Socket, far: Socket]> => {
  const { port, server } = await loopbackServer(undefined, allowHalfOpen);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const near = connect({ port, host: "127.0.0.1", allowHalfOpen });
  near.on("error", () => undefined);
  onTestFinished(() => void near.destroy());
  await once(near, "connect");
  const [far] = await accepted;
  return [near, far];
};
