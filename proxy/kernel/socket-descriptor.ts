import type { Socket } from "node:net";

/**
 * The file descriptor of a connected socket, which stays Node's own: for getsockopt only. Node.js does not document the field;
 * a worker tests at its start that it is there.
 * @throws Error if the socket is closed, or Node.js has moved the field
 */
export const socketDescriptor = (socket: Socket): number => {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  if (typeof fd !== "number" || fd < 0) throw new Error("a socket has no descriptor");
  return fd;
};
