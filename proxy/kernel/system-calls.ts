/** Numbers of system calls as the kernel knows them: x86-64 (syscall_64.tbl), and arm64 (asm-generic/unistd.h). */
const NUMBERS = {
  accept: [43, 202],
  accept4: [288, 242],
  access: [21, undefined],
  bind: [49, 200],
  brk: [12, 214],
  chmod: [90, undefined],
  clock_getres: [229, 114],
  clock_gettime: [228, 113],
  clock_nanosleep: [230, 115],
  clone: [56, 220],
  clone3: [435, 435],
  close: [3, 57],
  connect: [42, 203],
  dup: [32, 23],
  dup3: [292, 24],
  epoll_create1: [291, 20],
  epoll_ctl: [233, 21],
  epoll_pwait: [281, 22],
  epoll_pwait2: [441, 441],
  epoll_wait: [232, undefined],
  eventfd2: [290, 19],
  exit: [60, 93],
  exit_group: [231, 94],
  faccessat: [269, 48],
  faccessat2: [439, 439],
  fchmodat: [268, 53],
  fcntl: [72, 25],
  fstat: [5, 80],
  futex: [202, 98],
  getcpu: [309, 168],
  getcwd: [79, 17],
  getegid: [108, 177],
  geteuid: [107, 175],
  getgid: [104, 176],
  getpeername: [52, 205],
  getpid: [39, 172],
  getppid: [110, 173],
  getrandom: [318, 278],
  getrusage: [98, 165],
  getsockname: [51, 204],
  getsockopt: [55, 209],
  gettid: [186, 178],
  gettimeofday: [96, 169],
  getuid: [102, 174],
  io_uring_setup: [425, 425],
  ioctl: [16, 29],
  kill: [62, 129],
  listen: [50, 201],
  lseek: [8, 62],
  madvise: [28, 233],
  membarrier: [324, 283],
  mincore: [27, 232],
  mmap: [9, 222],
  mprotect: [10, 226],
  mremap: [25, 216],
  munmap: [11, 215],
  nanosleep: [35, 101],
  newfstatat: [262, 79],
  openat: [257, 56],
  pipe2: [293, 59],
  pkey_alloc: [330, 289],
  pkey_free: [331, 290],
  pkey_mprotect: [329, 288],
  poll: [7, undefined],
  ppoll: [271, 73],
  prctl: [157, 167],
  pread64: [17, 67],
  prlimit64: [302, 261],
  read: [0, 63],
  readlink: [89, undefined],
  readlinkat: [267, 78],
  readv: [19, 65],
  recvfrom: [45, 207],
  recvmsg: [47, 212],
  restart_syscall: [219, 128],
  rseq: [334, 293],
  rt_sigaction: [13, 134],
  rt_sigprocmask: [14, 135],
  rt_sigreturn: [15, 139],
  sched_getaffinity: [204, 123],
  sched_yield: [24, 124],
  seccomp: [317, 277],
  sendmmsg: [307, 269],
  sendmsg: [46, 211],
  sendto: [44, 206],
  set_robust_list: [273, 99],
  setsockopt: [54, 208],
  shutdown: [48, 210],
  sigaltstack: [131, 132],
  socket: [41, 198],
  statx: [332, 291],
  sysinfo: [99, 179],
  tgkill: [234, 131],
  uname: [63, 160],
  unlink: [87, undefined],
  unlinkat: [263, 35],
  write: [1, 64],
  writev: [20, 66],
} as const satisfies Readonly<Record<string, readonly [x64: number, arm64: number | undefined]>>;

/** The name of a system call, as in syscalls(2). */
export type SystemCall = keyof typeof NUMBERS;

/** One kind of machine. */
export interface Architecture {
  /** AUDIT_ARCH_*: how a filter sees for which machine a call is meant (linux/audit.h). */
  readonly audit: number;
  /** Undefined for a call that this kind of machine does not have. */
  readonly numberOf: (call: SystemCall) => number | undefined;
}

const X64: Architecture = { audit: 0xc000_003e, numberOf: (call) => NUMBERS[call][0] };
const ARM64: Architecture = { audit: 0xc000_00b7, numberOf: (call) => NUMBERS[call][1] };

/** @throws Error for a machine whose numbers are not known */
export const architecture = (name: string = process.arch): Architecture => {
  if (name === "x64") return X64;
  if (name === "arm64") return ARM64;
  throw new Error(`the system calls of ${name} are not known here, only those of x64 and arm64`);
};
