import { hasIpv6 } from "./ipv6.ts";
import { bind, close, getsockname, lastError, listen, must, socket } from "./libc.ts";
import { namespaceOfSocket, type NetworkNamespace } from "./network-namespace.ts";
import {
  getSocketOption,
  IP_BIND_ADDRESS_NO_PORT,
  IP_LOCAL_PORT_RANGE,
  IP_TRANSPARENT,
  IPV6_TRANSPARENT,
  IPV6_V6ONLY,
  setSocketOption,
  SO_ACCEPTCONN,
  SO_KEEPALIVE,
  SO_MARK,
  SO_REUSEADDR,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
  trySetSocketOption,
} from "./socket-options.ts";
import { LISTEN_BACKLOG } from "./listen-backlog.ts";

/** The mark on everything that the proxy sends, so that its own traffic is not captured again. */
export const PROXY_MARK = 0x539;

/**
 * What an outbound socket is for. `direct`: from the pod's own address to the outside. `local`: to the pod's application
 * from the address of its client.
 */
export type OutboundKind = "direct" | "local";

/**
 * The source ports of each kind. They must not meet: the kernel would give a dial to the application the port of a client's
 * connection that is being captured already, and connection tracking would swallow it (one client with 6,000 connections
 * lost 848 of them). A pod's own calls may use both ranges, as they never leave the pod with their own port.
 */
export const LOCAL_PORTS = { first: 10_240, last: 32_767 } as const;
export const DIRECT_PORTS = { first: 32_768, last: 60_999 } as const;

/** A peer that is gone without a word is noticed after this, and nine more probes so far apart; ztunnel's numbers. */
const KEEPALIVE_SECONDS = 180;

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

/**
 * Makes a listening socket for all addresses of the current namespace, both families. What it accepts inherits its options, so
 * that nobody has to set them for each connection. Never SO_REUSEPORT: any process of the
 * same user could join the group and take connections.
 * @throws Error, in particular with EADDRINUSE if a process of the pod listens there already
 */
export const makeListener = (port: number): number => {
  const fd = makeSocket({ isTransparent: true });
  try {
    setSocketOption(fd, SO_REUSEADDR, 1);
    keepAlive(fd);
    const address = anyAddress(port);
    must(`bind port ${port}`, bind(fd, address, address.length));
    must(`listen on port ${port}`, listen(fd, LISTEN_BACKLOG));
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
};

/** What is wrong with a listening socket that somebody else made; undefined if it is one of {@link makeListener}'s. */
export const listenerProblem = (fd: number, port: number, namespace: NetworkNamespace): string | undefined => {
  const accepts = getSocketOption(fd, SO_ACCEPTCONN, 4);
  if (typeof accepts === "string" || accepts[0] !== 1) return "it is no socket that listens";
  const address = new Uint8Array(28);
  must("getsockname", getsockname(fd, address, new Uint32Array([address.length])));
  const bound = new DataView(address.buffer).getUint16(2);
  if (bound !== port) return `it listens on port ${bound}, not ${port}`;
  return namespaceOfSocket(fd) === namespace.identity ? undefined : "it is in another network namespace";
};

/**
 * Makes a socket, not yet connected, that is not captured, and may send from any address if it is `local`: who takes over a
 * worker speaks to the outside from its pods' own addresses only. Its port is chosen at connect.
 */
export const makeOutbound = (kind: OutboundKind): number => {
  const fd = makeSocket({ isTransparent: kind === "local" });
  const ports = kind === "local" ? LOCAL_PORTS : DIRECT_PORTS;
  try {
    setSocketOption(fd, IP_BIND_ADDRESS_NO_PORT, 1);
    // The application is in the same kernel: it cannot be gone without a word.
    if (kind === "direct") keepAlive(fd);
    // Before Linux 6.3 the worker chooses the port when it dials.
    trySetSocketOption(fd, IP_LOCAL_PORT_RANGE, ports.last * 65_536 + ports.first);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
};

/** Whether the kernel keeps a socket to a range of ports; where it does not, whoever dials has to. */
export const keepsPortRange: boolean = ((): boolean => {
  const fd = must("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const kept = trySetSocketOption(fd, IP_LOCAL_PORT_RANGE, LOCAL_PORTS.last * 65_536 + LOCAL_PORTS.first) === 0;
  close(fd);
  return kept;
})();

const makeSocket = ({ isTransparent }: { readonly isTransparent: boolean }): number => {
  const fd = socket(hasIpv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`socket: ${lastError()}`);
  try {
    setSocketOption(fd, SO_MARK, PROXY_MARK);
    setSocketOption(fd, TCP_NODELAY, 1);
    if (hasIpv6) setSocketOption(fd, IPV6_V6ONLY, 0);
    if (isTransparent) setSocketOption(fd, hasIpv6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
};

const keepAlive = (fd: number): void => {
  setSocketOption(fd, SO_KEEPALIVE, 1);
  setSocketOption(fd, TCP_KEEPIDLE, KEEPALIVE_SECONDS);
  setSocketOption(fd, TCP_KEEPINTVL, KEEPALIVE_SECONDS);
};

/** sockaddr_in6 or sockaddr_in with the unspecified address. */
const anyAddress = (port: number): Uint8Array => {
  const address = new Uint8Array(hasIpv6 ? 28 : 16);
  const view = new DataView(address.buffer);
  view.setUint16(0, hasIpv6 ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  return address;
};
