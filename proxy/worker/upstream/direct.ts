import type { Socket } from "node:net";
import type { Permit } from "#mesh/policies/authorization.ts";
import type { SocketAddress } from "#mesh/socket-address.ts";
import { dial } from "./dial.ts";
import type { SocketStocks } from "./socket-stock.ts";

/**
 * Connects in clear, from the pod's own address: to a workload outside the mesh, or to an address that nobody knows.
 * @param _permit that this pod may
 * @throws DialError
 */
export const connectDirect = async (
  stocks: SocketStocks,
  target: SocketAddress,
  timeoutMs: number,
  _permit: Permit,
): Promise<Socket> => dial(await stocks.direct.take(), { target, timeoutMs });
