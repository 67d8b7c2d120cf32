import type { Socket } from "node:net";
import { setResetOnClose } from "../../kernel/reset-on-close.ts";
import type { ByteStream } from "../../tunnel/tunnel.ts";

/**
 * A TCP connection as one end of an exchange. From now on the kernel resets it if this process dies: an orderly end would tell
 * the other side that everything had been said. When all has been handed over and the direction was ended, closing is in
 * order again.
 */
export const tcpByteStream = (socket: Socket): ByteStream => {
  setResetOnClose(socket, true);
  socket.once("finish", () => setResetOnClose(socket, false));
  return {
    duplex: socket,
    get isBroken() {
      return socket.errored !== null;
    },
    reset: () => {
      setResetOnClose(socket, true);
      socket.destroy();
    },
  };
};
