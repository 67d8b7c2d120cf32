import { close, socket } from "./libc.ts";

const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;

/** Whether this kernel has IPv6 at all; one socket then serves both families. */
export const hasIpv6: boolean = ((): boolean => {
  const fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) close(fd);
  return fd >= 0;
})();
