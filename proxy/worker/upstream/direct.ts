import type { Socket } from "node:net";
import type { Permit } from "#mesh/policies/authorization.ts";
import type { SocketAddress } from "#mesh/socket-address.ts";
import type { DialLimits } from "./dial.ts";
import { dialFromStock } from "./dial-stock.ts";
import type { SocketStocks } from "./socket-stock.ts";

/**
 * Connects in clear, from the pod's own address: to a workload outside the mesh, or to an address that nobody knows.
 * @param _permit that this pod may
 * @throws DialError, NoSocketError
 */
export const connectDirect = (
  stocks: SocketStocks,
  target: SocketAddress,
  limits: DialLimits,
  _permit: Permit,
): Promise<Socket> => dialFromStock(stocks, "direct", { target, allowHalfOpen: true, ...limits });
