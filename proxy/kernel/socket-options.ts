import { getsockopt, lastError, must, setsockopt } from "./libc.ts";

/** Level and number of a socket option. */
export interface SocketOption {
  readonly level: number;
  readonly number: number;
  readonly name: string;
}

const SOL_SOCKET = 1;
const SOL_IP = 0;
const SOL_TCP = 6;
const SOL_IPV6 = 41;

export const SO_REUSEADDR: SocketOption = { level: SOL_SOCKET, number: 2, name: "SO_REUSEADDR" };
export const SO_KEEPALIVE: SocketOption = { level: SOL_SOCKET, number: 9, name: "SO_KEEPALIVE" };
export const SO_PEERCRED: SocketOption = { level: SOL_SOCKET, number: 17, name: "SO_PEERCRED" };
export const SO_ACCEPTCONN: SocketOption = { level: SOL_SOCKET, number: 30, name: "SO_ACCEPTCONN" };
export const SO_MARK: SocketOption = { level: SOL_SOCKET, number: 36, name: "SO_MARK" };
export const TCP_NODELAY: SocketOption = { level: SOL_TCP, number: 1, name: "TCP_NODELAY" };
export const TCP_KEEPIDLE: SocketOption = { level: SOL_TCP, number: 4, name: "TCP_KEEPIDLE" };
export const TCP_KEEPINTVL: SocketOption = { level: SOL_TCP, number: 5, name: "TCP_KEEPINTVL" };
export const TCP_INFO: SocketOption = { level: SOL_TCP, number: 11, name: "TCP_INFO" };
export const IP_TRANSPARENT: SocketOption = { level: SOL_IP, number: 19, name: "IP_TRANSPARENT" };
export const IP_BIND_ADDRESS_NO_PORT: SocketOption = { level: SOL_IP, number: 24, name: "IP_BIND_ADDRESS_NO_PORT" };
/** Linux 6.3 and newer. */
export const IP_LOCAL_PORT_RANGE: SocketOption = { level: SOL_IP, number: 51, name: "IP_LOCAL_PORT_RANGE" };
export const SO_ORIGINAL_DST: SocketOption = { level: SOL_IP, number: 80, name: "SO_ORIGINAL_DST" };
export const IPV6_V6ONLY: SocketOption = { level: SOL_IPV6, number: 26, name: "IPV6_V6ONLY" };
export const IPV6_TRANSPARENT: SocketOption = { level: SOL_IPV6, number: 75, name: "IPV6_TRANSPARENT" };
export const IP6T_SO_ORIGINAL_DST: SocketOption = { level: SOL_IPV6, number: 80, name: "IP6T_SO_ORIGINAL_DST" };

const scratch = new Uint8Array(4);
const scratchView = new DataView(scratch.buffer);

/** Sets an option whose value is a number. @throws Error naming the option. */
export const setSocketOption = (fd: number, option: SocketOption, value: number): void => {
  must(`setsockopt ${option.name}`, trySetSocketOption(fd, option, value));
};

/** The same where the kernel may not know the option: a negative number says so. */
export const trySetSocketOption = (fd: number, option: SocketOption, value: number): number => {
  scratchView.setUint32(0, value, true);
  return setsockopt(fd, option.level, option.number, scratch, 4);
};

/** No option that is asked for is longer. */
const MAX_OPTION_BYTES = 256;
/** The kernel writes here: memory of its own for each call takes six times as long as the call. */
const value = new Uint8Array(MAX_OPTION_BYTES);
const length = new Uint32Array(1);

/** Reads an option of up to `size` bytes, at most 256. @returns the bytes the kernel wrote, or the errno's name. */
export const getSocketOption = (fd: number, option: SocketOption, size: number): Uint8Array | string => {
  length[0] = Math.min(size, MAX_OPTION_BYTES);
  return getsockopt(fd, option.level, option.number, value, length) === 0 ? value.slice(0, length[0]) : lastError();
};
