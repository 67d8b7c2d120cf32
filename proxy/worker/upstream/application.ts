import type { Socket } from "node:net";
import type { SocketAddress } from "#mesh/socket-address.ts";
import type { Permit } from "#mesh/policies/authorization.ts";
import { DialError, type DialLimits } from "./dial.ts";
import { dialFromStock } from "./dial-stock.ts";
import type { SocketStocks } from "./socket-stock.ts";

/**
 * The application answers over the pod's own loopback, at once. A first packet that gets no answer was swallowed by
 * connection tracking, because its port is taken in a way that the kernel did not see: another port is tried, once.
 */
const FIRST_TRY_MS = 1_000;

/**
 * Connects to the pod's application, from the client's own address.
 * @param _permit that this client may
 * @throws DialError, NoSocketError
 */
export const connectApplication = async (
  stocks: SocketStocks,
  client: SocketAddress,
  target: SocketAddress,
  { timeoutMs, signal }: DialLimits,
  _permit: Permit,
): Promise<Socket> => {
  // A pod that calls itself has no other address to come from.
  const isOwnCall = client.address === target.address;
  const attempt = (limitMs: number): Promise<Socket> => {
    const how = { target, timeoutMs: limitMs, signal, allowHalfOpen: true };
    return isOwnCall
      ? dialFromStock(stocks, "direct", how)
      : dialFromStock(stocks, "local", { ...how, from: client.address });
  };
  try {
    return await attempt(Math.min(FIRST_TRY_MS, timeoutMs));
  } catch (error) {
    const mayBeSwallowed = error instanceof DialError && error.errno === "ETIMEDOUT" && timeoutMs > FIRST_TRY_MS;
    if (!mayBeSwallowed) throw error;
    return attempt(timeoutMs - FIRST_TRY_MS);
  }
};
