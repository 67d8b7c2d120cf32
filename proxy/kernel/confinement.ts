import { flushCompileCache } from "node:module";
import { type CallFilter, type CallRule, ENOSYS, EPERM, refuseSystemCalls } from "./system-call-filter.ts";
import type { SystemCall } from "./system-calls.ts";

const CLONE_THREAD = 0x0001_0000;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NEW = 0x7e02_0000;

/** F_DUPFD, GETFD, SETFD, GETFL, SETFL, DUPFD_CLOEXEC. Not F_SETOWN: it has the kernel signal another process. */
const FCNTL_COMMANDS = [0, 1, 2, 3, 4, 1030];
/** TCGETS, FIONREAD, FIONBIO. Others open namespaces (SIOCGSKNS), change interfaces or have signals sent. */
const IOCTL_REQUESTS = [0x5401, 0x541b, 0x5421];
/** PR_SET_NAME, PR_SET_VMA. Not PR_SET_DUMPABLE or PR_SET_PDEATHSIG: what the process was made at its start it remains. */
const PRCTL_OPTIONS = [15, 0x5356_4d41];

const allowed = (...calls: readonly SystemCall[]): Readonly<Partial<Record<SystemCall, CallRule>>> =>
  Object.fromEntries(calls.map((call) => [call, "allow"]));

/** Memory, threads, time, and descriptors that the process has already. */
const sharedRules = (): CallFilter["rules"] => ({
  // Most frequent first.
  ...allowed(
    "epoll_wait",
    "epoll_pwait",
    "epoll_ctl",
    "read",
    "write",
    "readv",
    "writev",
    "futex",
    "recvmsg",
    "sendmsg",
  ),
  ...allowed("accept4", "accept", "connect", "bind", "listen", "close", "shutdown", "getsockopt", "setsockopt"),
  ...allowed("getsockname", "getpeername", "sendto", "recvfrom", "sendmmsg", "poll", "ppoll", "epoll_pwait2"),
  ...allowed("mmap", "munmap", "mprotect", "madvise", "mremap", "brk", "mincore", "membarrier"),
  ...allowed("pkey_alloc", "pkey_free", "pkey_mprotect"),
  ...allowed("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "getrandom"),
  ...allowed("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
  ...allowed(
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "getcpu",
    "set_robust_list",
    "rseq",
    "exit",
    "exit_group",
  ),
  ...allowed("getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo", "getrusage"),
  ...allowed("dup", "dup3", "pipe2", "eventfd2", "epoll_create1", "fstat", "lseek", "pread64"),
  // At its end koffi flushes stdout and stderr, and hangs for ever where it may not.
  ...allowed("fsync"),
  fcntl: { argument: 1, isOneOf: FCNTL_COMMANDS },
  ioctl: { argument: 1, isOneOf: IOCTL_REQUESTS },
  prctl: { argument: 0, isOneOf: PRCTL_OPTIONS },
  prlimit64: { argument: 0, isOneOf: [0] },
  // Threads, and no processes. The C library falls back to clone, whose flags a filter can see.
  clone: { argument: 0, mask: CLONE_THREAD | CLONE_NEW, isOneOf: [CLONE_THREAD] },
  clone3: { errno: ENOSYS },
  // Nobody but itself: abort(3).
  kill: { argument: 0, isOneOf: [process.pid] },
  tgkill: { argument: 0, isOneOf: [process.pid] },
});

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;

/**
 * Has the kernel refuse everything that a worker does not do once it serves: opening files, making sockets, starting programs
 * or processes, other namespaces, looking into processes or signalling them, io_uring. All its code must be loaded.
 */
export const confineWorker = (): void => {
  // It could not be written later.
  flushCompileCache();
  refuseSystemCalls({ rules: sharedRules(), others: { errno: EPERM } });
};

/** The same for the agent, which reads files, serves a socket of its own, and calls the control plane. */
export const confineAgent = (): void => {
  refuseSystemCalls({
    rules: {
      ...sharedRules(),
      ...allowed("openat", "newfstatat", "statx", "readlink", "readlinkat", "access", "faccessat", "faccessat2"),
      ...allowed("getcwd", "unlink", "unlinkat", "chmod", "fchmodat"),
      // NETLINK: the resolver asks which addresses this machine has.
      socket: { argument: 0, isOneOf: [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] },
    },
    others: { errno: EPERM },
  });
};

/**
 * For the supervisor, and so for all that it starts: no io_uring, with which a filter of system calls could be got around.
 * Node.js does without.
 */
export const forbidRings = (): void =>
  refuseSystemCalls({ rules: { io_uring_setup: { errno: ENOSYS } }, others: "allow" });
