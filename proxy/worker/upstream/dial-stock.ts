import type { Socket } from "node:net";
import { DIRECT_PORTS, keepsPortRange, LOCAL_PORTS, type OutboundKind } from "../../kernel/pod-sockets.ts";
import { type Dial, dial, DialError } from "./dial.ts";
import type { SocketStocks } from "./socket-stock.ts";

/** Ports that are tried where we choose them and they are taken. */
const MAX_PORTS_TRIED = 8;

/** How a source port is chosen within a range; undefined where the kernel keeps the socket to its range (Linux 6.3 and newer). */
export type ChoosePort = ((first: number, last: number) => number) | undefined;

const chooseAnyPort: ChoosePort = keepsPortRange
  ? undefined
  : (first, last) => first + Math.floor(Math.random() * (last - first + 1));

/**
 * Takes a socket from the stock and connects it, from a port of its kind's range.
 * @throws DialError, NoSocketError
 */
export const dialFromStock = async (
  stocks: SocketStocks,
  kind: OutboundKind,
  how: Omit<Dial, "fromPort">,
  choosePort: ChoosePort = chooseAnyPort,
): Promise<Socket> => {
  const { first, last } = kind === "local" ? LOCAL_PORTS : DIRECT_PORTS;
  for (let tried = 1; ; tried++) {
    try {
      return await dial(await stocks[kind].take(), { ...how, fromPort: choosePort?.(first, last) });
    } catch (error) {
      const isTaken = choosePort !== undefined && error instanceof DialError && error.errno === "EADDRINUSE";
      if (!isTaken || tried === MAX_PORTS_TRIED) throw error;
    }
  }
};
