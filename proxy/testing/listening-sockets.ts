import { once } from "node:events";
import { connect } from "node:net";
import koffi from "koffi";
import { onTestFinished } from "vitest";
import { bind, close, listen, must, socket } from "../kernel/libc.ts";
import { getSocketOption } from "../kernel/socket-options.ts";

const AF_INET = 2;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const TCP_INFO = { level: 6, number: 11, name: "TCP_INFO" };

const library = koffi.load("libc.so.6");
const getsockname = library.func("int getsockname(int, void *, void *)") as (
  fd: number,
  address: Uint8Array,
  length: Uint32Array,
) => number;

/** A listening socket that nobody accepts from yet. */
export interface ListeningSocket {
  readonly descriptor: number;
  readonly port: number;
}

/** For tests: a listening socket as the supervisor makes it, without what takes privileges. It belongs to the caller. */
export const listeningSocket = (address = "127.0.0.1", wantedPort = 0, backlog = 4096): ListeningSocket => {
  const descriptor = must("socket", socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0));
  // sockaddr_in: family, port (big-endian), 4 address bytes.
  const name = new Uint8Array(16);
  const view = new DataView(name.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, wantedPort);
  name.set(address.split(".").map(Number), 4);
  must("bind", bind(descriptor, name, name.length));
  must("listen", listen(descriptor, backlog));
  must("getsockname", getsockname(descriptor, name, Uint32Array.of(16)));
  return { descriptor, port: view.getUint16(2) };
};

/** For tests: how many finished handshakes may wait at a listening socket (`tcpi_sacked` of struct tcp_info, tcp(7)). */
export const backlogOf = (descriptor: number): number => {
  const info = getSocketOption(descriptor, TCP_INFO, 104);
  if (typeof info === "string") throw new Error(`getsockopt TCP_INFO: ${info}`);
  return new DataView(info.buffer).getUint32(28, true);
};

/**
 * For tests: a port whose kernel swallows the first packet of every connection, because the queue of its listener is full.
 * `answer` makes room; what was swallowed is still lost.
 */
export const silentPort = async (
  address = "127.0.0.1",
  wantedPort = 0,
): Promise<{ readonly port: number; readonly answer: () => void }> => {
  const { descriptor, port } = listeningSocket(address, wantedPort, 0);
  onTestFinished(() => void close(descriptor));
  const filling = connect(port, address);
  onTestFinished(() => void filling.destroy());
  await once(filling, "connect");
  return { port, answer: () => void must("listen", listen(descriptor, 16)) };
};
