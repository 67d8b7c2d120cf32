import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** A server that answers with bytes, whatever they are, and then ends. */
export interface Origin {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** The field that says which answer a request is for. */
export const CASE_FIELD = "X-Case";

const MAX_HEAD_BYTES = 16 * 1024;

/** @param answers by the number in {@link CASE_FIELD} */
export const startOrigin = async (answers: readonly Uint8Array[]): Promise<Origin> => {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    let head = "";
    const onData = (chunk: Buffer): void => {
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n") && head.length < MAX_HEAD_BYTES) return;
      socket.off("data", onData);
      socket.resume();
      const [, number] = new RegExp(`^${CASE_FIELD}: ([0-9]+)\\r$`, "im").exec(head) ?? [];
      socket.end(answers[Number(number)] ?? "");
    };
    socket.on("data", onData);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
};
