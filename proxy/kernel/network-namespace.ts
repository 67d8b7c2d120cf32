import { closeSync, fstatSync, openSync } from "node:fs";
import { ioctl, lastError, must, setns } from "./libc.ts";

/** A network namespace that is held open: it lives as long as this does, whoever else has left it. */
export interface NetworkNamespace {
  readonly fd: number;
  /** Device and inode: two namespaces are the same if and only if these are. */
  readonly identity: string;
}

const CLONE_NEWNET = 0x4000_0000;
/** ioctl_ns(2): which kind of namespace a descriptor stands for. */
const NS_GET_NSTYPE = 0xb703;
/** A descriptor of the network namespace of a socket (linux/sockios.h). */
const SIOCGSKNS = 0x894c;

/** Opens the namespace at a path such as /run/netns/web. @throws Error if there is none, or it is of another kind. */
export const openNetworkNamespace = (path: string): NetworkNamespace => {
  const fd = openSync(path, "r");
  const namespace = networkNamespaceOf(fd);
  if (namespace) return namespace;
  closeSync(fd);
  throw new Error(`${path} is not a network namespace`);
};

/** What a descriptor stands for; undefined if that is no network namespace. The descriptor stays the caller's in both cases. */
export const networkNamespaceOf = (fd: number): NetworkNamespace | undefined => {
  if (ioctl(fd, NS_GET_NSTYPE) !== CLONE_NEWNET) return undefined;
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return { fd, identity: `${dev}:${ino}` };
};

/** {@link NetworkNamespace.identity} of the namespace that a socket was made in. @throws Error as the kernel does not tell */
export const namespaceOfSocket = (socket: number): string => {
  const fd = must("ioctl SIOCGSKNS", ioctl(socket, SIOCGSKNS));
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return `${dev}:${ino}`;
  } finally {
    closeSync(fd);
  }
};

export const closeNetworkNamespace = (namespace: NetworkNamespace): void => closeSync(namespace.fd);

/** The namespace this process was started in. */
export const ownNetworkNamespace: NetworkNamespace = openNetworkNamespace("/proc/thread-self/ns/net");

/**
 * Runs `action` inside another namespace, and comes back. Sockets that it makes and processes that it starts belong there
 * for good. It must not wait for anything: a thread of the pool that is born meanwhile would stay there. A process that
 * cannot come back would mix up its pods, so that it ends instead.
 */
export const inNetworkNamespace = <Value>(namespace: NetworkNamespace, action: () => Value): Value => {
  must("setns into a pod's network namespace", setns(namespace.fd, CLONE_NEWNET));
  try {
    return action();
  } finally {
    if (setns(ownNetworkNamespace.fd, CLONE_NEWNET) !== 0) {
      process.stderr.write(`heddle: cannot leave a pod's network namespace (${lastError()}); stopping\n`);
      process.abort();
    }
  }
};
