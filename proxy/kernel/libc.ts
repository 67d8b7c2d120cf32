import koffi from "koffi";

/**
 * The calls of the C library that Node.js has no words for. They run synchronously on the calling thread, which matters:
 * a network namespace belongs to a thread.
 */
const library = koffi.load("libc.so.6");

koffi.struct("iovec", { base: "void *", length: "size_t" });
koffi.struct("msghdr", {
  name: "void *",
  nameLength: "uint32_t",
  vectors: "iovec *",
  vectorCount: "size_t",
  control: "void *",
  controlLength: "size_t",
  flags: "int",
});

/** `struct msghdr` with one buffer of data and one of control messages (recvmsg(2)). */
export interface MessageHeader {
  name: null;
  nameLength: 0;
  vectors: { base: Uint8Array; length: number }[];
  vectorCount: number;
  control: Uint8Array | null;
  controlLength: number;
  flags: number;
}

koffi.struct("sock_fprog", { length: "uint16_t", filter: "void *" });

/** `struct sock_fprog`: a program of the kernel's packet filter, and its number of instructions (linux/filter.h). */
export interface FilterProgram {
  length: number;
  filter: Uint8Array;
}

type Native<Arguments extends unknown[]> = (...args: Arguments) => number;

const native = <Arguments extends unknown[]>(signature: string): Native<Arguments> =>
  library.func(signature) as Native<Arguments>;

export const setns = native<[fd: number, kind: number]>("int setns(int, int)");
export const socket = native<[family: number, type: number, protocol: number]>("int socket(int, int, int)");
export const bind = native<[fd: number, address: Uint8Array, length: number]>("int bind(int, void *, uint32_t)");
export const connect = native<[fd: number, address: Uint8Array, length: number]>("int connect(int, void *, uint32_t)");
export const getsockname = native<[fd: number, address: Uint8Array, length: Uint32Array]>(
  "int getsockname(int, void *, void *)",
);
export const listen = native<[fd: number, backlog: number]>("int listen(int, int)");
export const shutdown = native<[fd: number, how: number]>("int shutdown(int, int)");
const fcntl = native<[fd: number, command: number, argument: number]>("int fcntl(int, int, int)");
export const close = native<[fd: number]>("int close(int)");
export const ioctl = native<[fd: number, request: number]>("int ioctl(int, unsigned long)");
export const setsockopt = native<[fd: number, level: number, name: number, value: Uint8Array, length: number]>(
  "int setsockopt(int, int, int, void *, uint32_t)",
);
export const getsockopt = native<[fd: number, level: number, name: number, value: Uint8Array, length: Uint32Array]>(
  "int getsockopt(int, int, int, void *, void *)",
);
export const socketpair = native<[family: number, type: number, protocol: number, fds: Int32Array]>(
  "int socketpair(int, int, int, void *)",
);
export const sendmsg = native<[fd: number, message: MessageHeader, flags: number]>(
  "intptr_t sendmsg(int, msghdr *, int)",
);
export const recvmsg = native<[fd: number, message: MessageHeader, flags: number]>(
  "intptr_t recvmsg(int, _Inout_ msghdr *, int)",
);
export const send = native<[fd: number, data: Uint8Array, length: number, flags: number]>(
  "intptr_t send(int, void *, size_t, int)",
);
export const recv = native<[fd: number, data: Uint8Array, length: number, flags: number]>(
  "intptr_t recv(int, void *, size_t, int)",
);
export const seccomp = native<[systemCall: number, operation: number, flags: number, program: FilterProgram]>(
  "long syscall(long, long, long, sock_fprog *)",
);
export const prctl = native<[option: number, a: number, b: number, c: number, d: number]>(
  "int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)",
);

/** The first name of each number, as EAGAIN and not EWOULDBLOCK. */
const errorNames: ReadonlyMap<number, string> = new Map(
  Object.entries(koffi.os.errno)
    .toReversed()
    .map(([name, number]) => [number, name]),
);

/** The error of the last call that failed, as in `EAGAIN`. */
export const lastError = (): string => {
  const number = koffi.errno();
  return errorNames.get(number) ?? `errno ${number}`;
};

/** The result of a call that is not expected to fail. @throws Error naming the call, the errno and what it was done to. */
export const must = (call: string, result: number): number => {
  if (result < 0) throw new Error(`${call}: ${lastError()}`);
  return result;
};

const F_DUPFD_CLOEXEC = 1030;

/** Another descriptor of the same socket or file, that children do not inherit. @throws Error as dup(2) fails */
export const duplicate = (fd: number): number => must("dup", fcntl(fd, F_DUPFD_CLOEXEC, 0));
