import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import koffi from "koffi";
import { lastError, prctl, setns, socket } from "#proxy/kernel/libc.ts";
import type { HostileOrders } from "./orders.ts";

/** Something that must not work, and what came of it: the errno, or `done`. */
export type Attempt = readonly [name: string, attempt: () => string];

const libc = koffi.load("libc.so.6");
type Call = (...args: readonly unknown[]) => number;
const native = (signature: string): Call => libc.func(signature) as Call;

const systemCall = native("long syscall(long, long, long, long, long, long, long)");
const connect = native("int connect(int, void *, uint32_t)");
const kill = native("int kill(int, int)");
const unshare = native("int unshare(int)");
const mount = native("int mount(const char *, const char *, const char *, unsigned long, void *)");
const chroot = native("int chroot(const char *)");
const fcntl = native("int fcntl(int, int, int)");
const memfdCreate = native("int memfd_create(const char *, unsigned int)");
const socketpair = native("int socketpair(int, int, int, void *)");
const prlimit = native("int prlimit(int, int, void *, void *)");
koffi.struct("own_memory", { base: "void *", length: "size_t" });
koffi.struct("other_memory", { base: "uint64_t", length: "size_t" });
const processVmReadv = native("long process_vm_readv(int, own_memory *, long, other_memory *, long, long)");

/** Calls that the C library has no function for: x86-64, arm64. */
const NUMBERS = {
  ptrace: [101, 117],
  bpf: [321, 280],
  keyctl: [250, 219],
  perf_event_open: [298, 241],
  userfaultfd: [282, 282],
  io_uring_setup: [425, 425],
  pidfd_open: [434, 434],
  setpriority: [141, 140],
} as const;
const numbered = (call: keyof typeof NUMBERS, ...args: readonly number[]): number => {
  const padded = [...args, 0, 0, 0, 0, 0, 0].slice(0, 6);
  return systemCall(NUMBERS[call][process.arch === "arm64" ? 1 : 0], ...padded);
};

const PTRACE_ATTACH = 16;
const CLONE_NEWUSER = 0x1000_0000;
const CLONE_NEWNET = 0x4000_0000;
const [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET] = [1, 2, 10, 16, 17];
const [SOCK_STREAM, SOCK_DGRAM, SOCK_RAW] = [1, 2, 3];

const outcome = (result: number): string => (result < 0 ? lastError() : "done");

const opening = (path: string, flags: string): string => {
  try {
    closeSync(openSync(path, flags));
    return "done";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
};

const connecting = (family: number, address: Uint8Array): string => {
  const fd = socket(family, SOCK_STREAM, 0);
  return fd < 0 ? lastError() : outcome(connect(fd, address, address.length));
};

const unixAddress = (path: string): Uint8Array => {
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, 2);
  return address;
};

const ipv4Address = (host: string, port: number): Uint8Array => {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  Buffer.from(host.split(".").map(Number)).copy(address, 4);
  return address;
};

/** The supervisor and the other processes that it has started, found while files may still be opened. */
const victims = (): readonly (readonly [string, number])[] => {
  const parentOf = (pid: string): number =>
    Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[1]);
  const siblings = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => {
      try {
        return parentOf(pid) === process.ppid;
      } catch {
        return false;
      }
    })
    .map((pid) => [`sibling ${pid}`, Number(pid)] as const);
  return [["supervisor", process.ppid], ...siblings];
};

const onProcesses = (): readonly Attempt[] => {
  const maps = readFileSync("/proc/self/maps", "utf8");
  return victims().flatMap(([name, pid]): readonly Attempt[] => [
    [`ptrace ${name}`, () => outcome(numbered("ptrace", PTRACE_ATTACH, pid))],
    [`read memory of ${name}`, () => readMemory(pid, maps)],
    [`open mem of ${name}`, () => opening(`/proc/${pid}/mem`, "r")],
    [`open environ of ${name}`, () => opening(`/proc/${pid}/environ`, "r")],
    [`open descriptor of ${name}`, () => opening(`/proc/${pid}/fd/3`, "r")],
    [`open root of ${name}`, () => opening(`/proc/${pid}/root/etc/hostname`, "r")],
    [`open namespace of ${name}`, () => opening(`/proc/${pid}/ns/net`, "r")],
    [`signal ${name}`, () => outcome(kill(pid, 0))],
    [`limit ${name}`, () => outcome(prlimit(pid, RLIMIT_NOFILE, limits(3), null))],
    [`slow down ${name}`, () => outcome(numbered("setpriority", 0, pid, 19))],
  ]);
};

/** The place of our own program: the other's is elsewhere, but it is asked first whether we may look at all. */
const readMemory = (pid: number, maps: string): string => {
  const base = BigInt(`0x${maps.split("-")[0] ?? "0"}`);
  const [own, other] = [
    { base: Buffer.alloc(8), length: 8 },
    { base, length: 8 },
  ];
  return outcome(processVmReadv(pid, own, 1, other, 1, 0));
};

const RLIMIT_CORE = 4;
const RLIMIT_NOFILE = 7;
const limits = (value: number): Uint8Array => new Uint8Array(new BigUint64Array([BigInt(value), BigInt(value)]).buffer);

/** Everything that code in a worker would like to do on the machine. What has to be looked up for it is looked up at once. */
export const escapeAttempts = (orders: HostileOrders): readonly Attempt[] => {
  // As if somebody had given it one.
  const namespace = openSync(orders.namespace, "r");
  return [
    ...onProcesses(),
    ...Object.entries(orders.secrets).map(([name, path]): Attempt => [`read ${name}`, () => opening(path, "r")]),
    ...Object.entries(orders.writable).map(([name, path]): Attempt => [`write ${name}`, () => opening(path, "a")]),
    ...Object.entries(orders.sockets).map(([name, path]): Attempt => [
      `connect to ${name}`,
      () => connecting(AF_UNIX, unixAddress(path)),
    ]),
    ...orders.addresses.map(([host, port]): Attempt => [
      `connect to ${host}:${port}`,
      () => connecting(AF_INET, ipv4Address(host, port)),
    ]),
    ["make an IPv6 socket", () => outcome(socket(AF_INET6, SOCK_STREAM, 0))],
    ["make a netlink socket", () => outcome(socket(AF_NETLINK, SOCK_RAW, 0))],
    ["make a packet socket", () => outcome(socket(AF_PACKET, SOCK_RAW, 0))],
    ["make a raw socket", () => outcome(socket(AF_INET, SOCK_RAW, 6))],
    ["make a pair of sockets", () => outcome(socketpair(AF_UNIX, SOCK_DGRAM, 0, new Int32Array(2)))],
    ["make a user namespace", () => outcome(unshare(CLONE_NEWUSER))],
    ["make a network namespace", () => outcome(unshare(CLONE_NEWNET))],
    ["enter a pod's namespace", () => outcome(setns(namespace, CLONE_NEWNET))],
    ["mount", () => outcome(mount("none", "/tmp", "tmpfs", 0, null))],
    ["chroot", () => outcome(chroot("/tmp"))],
    [
      "start a program",
      () => (spawnSync("/bin/true", { stdio: "ignore" }).error as NodeJS.ErrnoException)?.code ?? "done",
    ],
    ["signal everybody", () => outcome(kill(-1, 0))],
    ["allow cores", () => outcome(prlimit(0, RLIMIT_CORE, limits(1_000_000), null))],
    ["become dumpable", () => outcome(prctl(4, 1, 0, 0, 0))],
    ["outlive the supervisor", () => outcome(prctl(1, 0, 0, 0, 0))],
    ["have signals sent to the supervisor", () => outcome(fcntl(3, 8, process.ppid))],
    ["use io_uring", () => outcome(numbered("io_uring_setup", 1, 0))],
    ["load a program into the kernel", () => outcome(numbered("bpf", 0))],
    ["use the keyring", () => outcome(numbered("keyctl", 0, -3))],
    ["watch performance", () => outcome(numbered("perf_event_open", 0, 0, -1, -1))],
    ["handle page faults", () => outcome(numbered("userfaultfd", 0))],
    ["hold a process", () => outcome(numbered("pidfd_open", process.ppid))],
    ["make a file in memory", () => outcome(memfdCreate("x", 0))],
  ];
};
