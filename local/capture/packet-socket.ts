import koffi from "koffi";

/** A socket that sees every frame of one network device (packet(7)). */
export interface PacketSocket {
  /**
   * Takes the next frame into `buffer`.
   * @returns its length; 0 if none came within a moment
   */
  receive(buffer: Uint8Array): number;
}

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 0x0003;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const EAGAIN = 11;
const EINTR = 4;

/** What may wait while the reader is busy, so that a burst is not lost. */
const RECEIVE_BUFFER_BYTES = 32 * 1024 * 1024;
/** How long a reader waits before it looks whether anybody still listens. */
const RECEIVE_TIMEOUT_MS = 50;

const library = koffi.load("libc.so.6");
const native = (signature: string) => library.func(signature) as (...args: unknown[]) => number;
const socket = native("int socket(int, int, int)");
const bind = native("int bind(int, void *, uint32_t)");
const setsockopt = native("int setsockopt(int, int, int, void *, uint32_t)");
const recv = native("intptr_t recv(int, _Out_ void *, size_t, int)");
const interfaceIndex = native("unsigned int if_nametoindex(const char *)");

/** Opens a socket on a device of this process's network namespace. @throws Error naming the call that failed */
export const openPacketSocket = (device: string): PacketSocket => {
  const index = interfaceIndex(device);
  if (index === 0) throw new Error(`there is no network device ${device}`);
  const fd = must("socket(AF_PACKET)", socket(AF_PACKET, SOCK_RAW, networkOrder(ETH_P_ALL)));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(RECEIVE_BUFFER_BYTES), 4);
  must("setsockopt(SO_RCVTIMEO)", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval(RECEIVE_TIMEOUT_MS), 16));
  must("bind", bind(fd, linkAddress(index), 20));
  return { receive: (buffer) => receive(fd, buffer) };
};

const receive = (fd: number, buffer: Uint8Array): number => {
  const length = recv(fd, buffer, buffer.length, 0);
  if (length >= 0) return length;
  if (koffi.errno() === EAGAIN || koffi.errno() === EINTR) return 0;
  return must("recv", length);
};

/** struct sockaddr_ll: family u16, protocol u16 in network order, index of the device i32, then what only replies use. */
const linkAddress = (index: number): Buffer => {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(index, 4);
  return address;
};

const networkOrder = (value: number): number => ((value & 0xff) << 8) | (value >> 8);

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

const timeval = (timeMs: number): Buffer => {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(Math.floor(timeMs / 1000)), 0);
  bytes.writeBigInt64LE(BigInt((timeMs % 1000) * 1000), 8);
  return bytes;
};

const must = (call: string, result: number): number => {
  if (result < 0) throw new Error(`${call}: error ${koffi.errno()}`);
  return result;
};
