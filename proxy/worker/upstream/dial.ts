import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { type IpAddress, ipFamily } from "#mesh/ip-address.ts";
import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import { hasIpv6 } from "../../kernel/ipv6.ts";
import { whenAborted } from "./when-aborted.ts";

/** How long connecting may take, and what puts an end to it earlier: whoever it is for is gone. */
export interface DialLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** How a socket is to be connected. */
export interface Dial extends DialLimits {
  readonly target: SocketAddress;
  /** The address to come from; undefined: the pod's own. */
  readonly from?: IpAddress | undefined;
  /** Only where the kernel does not choose the port within the socket's range. */
  readonly fromPort?: number | undefined;
  /** Whether the end of one direction leaves the other open: for an application's bytes, not for a connection of tunnels. */
  readonly allowHalfOpen: boolean;
}

/** Why a connection was not made. `errno`: ECONNREFUSED, ETIMEDOUT, EADDRNOTAVAIL, ECANCELED... */
export class DialError extends Error {
  readonly errno: string;

  constructor(target: SocketAddress, errno: string, detail: string) {
    super(`${formatSocketAddress(target)}: ${detail}`);
    this.name = "DialError";
    this.errno = errno;
  }
}

/**
 * Connects a socket that the supervisor made in the pod's namespace.
 * @returns the connected socket, not yet reading
 * @throws DialError; the socket is closed then
 */
export const dial = (
  descriptor: number,
  { target, from, fromPort, timeoutMs, signal, allowHalfOpen }: Dial,
): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = adopt(descriptor, target, allowHalfOpen);
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
      clearTimeout(timer);
      stopWaiting?.();
    };
    const fail = (errno: string, detail: string): void => {
      settle();
      socket.destroy();
      reject(new DialError(target, errno, detail));
    };
    const onAbort = (): void => fail("ECANCELED", "whoever asked for it is gone");
    const timer = setTimeout(() => fail("ETIMEDOUT", `no answer within ${timeoutMs} ms`), timeoutMs);
    // Once it is connected, whoever joins it to another stream sees that it is gone; until then nobody else listens.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (!isSettled) fail(error.code ?? "ECONNRESET", error.message);
    });
    const stopWaiting = signal.aborted ? undefined : whenAborted(signal, onAbort);
    if (!stopWaiting) return onAbort();
    socket.on("connect", () => {
      settle();
      socket.pause();
      resolve(socket);
    });
    socket.connect({
      host: onSocketFamily(target.address),
      port: target.port,
      ...(from === undefined ? {} : { localAddress: onSocketFamily(from) }),
      ...(fromPort === undefined ? {} : { localPort: fromPort }),
    });
  });

const adopt = (descriptor: number, target: SocketAddress, allowHalfOpen: boolean): Socket => {
  try {
    return new Socket({ fd: descriptor, manualStart: true, allowHalfOpen } as ConstructorParameters<typeof Socket>[0]);
  } catch (error) {
    closeSync(descriptor);
    throw new DialError(target, "EBADF", String(error));
  }
};

/** The sockets are IPv6 ones that carry both families, unless the kernel has no IPv6: then there are no IPv6 addresses. */
const onSocketFamily = (address: IpAddress): string =>
  ipFamily(address) === 4 && hasIpv6 ? `::ffff:${address}` : address;
