import { closeSync } from "node:fs";
import { connect, lastError, must, socket } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** sun_path with its end (unix(7)). */
const MAX_PATH_BYTES = 107;

/**
 * Connects to a unix socket in a way in which descriptors can be received, which Node.js' own sockets cannot.
 * @returns a descriptor, or undefined where nobody listens
 * @throws Error if the path is too long, or may not be opened
 */
export const connectUnixSocket = (path: string): number | undefined => {
  const name = Buffer.from(path);
  if (name.length > MAX_PATH_BYTES) throw new Error(`${path} is longer than ${MAX_PATH_BYTES} bytes`);
  const address = new Uint8Array(2 + MAX_PATH_BYTES + 1);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  const fd = must("socket", socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (connect(fd, address, address.length) === 0) return fd;
  const problem = lastError();
  closeSync(fd);
  if (problem === "ENOENT" || problem === "ECONNREFUSED") return undefined;
  throw new Error(`connect ${path}: ${problem}`);
};
