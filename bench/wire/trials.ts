import { createServer, type Server } from "node:net";
import * as codecs from "./codecs.ts";
import { nodeHttp1Server, wireHttp1Server } from "./http1-servers.ts";
import { nodeHttp2Server, wireHttp2Server } from "./http2-servers.ts";
import { type IdleProtocol, idleConnectionKib } from "./idle-memory.ts";
import { idleTunnelKib } from "./idle-tunnels.ts";
import { listening } from "./listening.ts";
import { donePerCpuSecond, type LoadName } from "./load.ts";

/** Ours, and what Node.js has. */
export const CONTESTANTS = ["wire", "node"] as const;
export type Contestant = (typeof CONTESTANTS)[number];

/** One line of the table. */
export interface Trial {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** Runs for so many seconds in a process of its own. A contestant that has no such thing alone is not there. */
  readonly run: Readonly<Partial<Record<Contestant, (seconds: number) => Promise<number>>>>;
}

const loaded =
  (load: LoadName, makeServer: () => Server) =>
  async (seconds: number): Promise<number> =>
    donePerCpuSecond(load, await listening(makeServer()), seconds);

const looped =
  (loop: (isOver: () => boolean) => number) =>
  (seconds: number): Promise<number> => {
    loop(until(WARM_UP_SECONDS));
    const before = process.threadCpuUsage();
    const done = loop(until(seconds));
    const { user, system } = process.threadCpuUsage(before);
    return Promise.resolve(done / ((user + system) / 1e6));
  };

const WARM_UP_SECONDS = 0.5;

const until = (seconds: number): (() => boolean) => {
  const end = performance.now() + seconds * 1000;
  return () => performance.now() > end;
};

const idle = (protocol: IdleProtocol, makeServer: () => Server) => (): Promise<number> =>
  idleConnectionKib(makeServer(), protocol);

const PER_CPU_SECOND = "/CPU s";

export const TRIALS: readonly Trial[] = [
  {
    id: "http1-requests",
    title: "HTTP/1.1 requests answered, over sockets",
    unit: PER_CPU_SECOND,
    run: { wire: loaded("http1Requests", wireHttp1Server), node: loaded("http1Requests", nodeHttp1Server) },
  },
  {
    id: "http1-parse",
    title: "  heads read, in memory",
    unit: PER_CPU_SECOND,
    run: { wire: looped(codecs.http1Parse) },
  },
  {
    id: "http1-encode",
    title: "  heads written, in memory",
    unit: PER_CPU_SECOND,
    run: { wire: looped(codecs.http1Encode) },
  },
  {
    id: "http2-requests",
    title: "HTTP/2 requests answered, over sockets",
    unit: PER_CPU_SECOND,
    run: { wire: loaded("http2Requests", wireHttp2Server), node: loaded("http2Requests", nodeHttp2Server) },
  },
  {
    id: "http2-same-requests",
    title: "  with the same head each",
    unit: PER_CPU_SECOND,
    run: { wire: loaded("http2SameRequests", wireHttp2Server), node: loaded("http2SameRequests", nodeHttp2Server) },
  },
  {
    id: "http2-data",
    title: "HTTP/2 DATA frames of 1 KiB taken, over a socket",
    unit: PER_CPU_SECOND,
    run: { wire: loaded("http2Data", wireHttp2Server), node: loaded("http2Data", nodeHttp2Server) },
  },
  {
    id: "http2-frames",
    title: "  frames read, in memory",
    unit: PER_CPU_SECOND,
    run: { wire: looped(codecs.http2Frames) },
  },
  {
    id: "hpack-decode",
    title: "HPACK blocks read, in memory",
    unit: PER_CPU_SECOND,
    run: { wire: looped(codecs.hpackDecode) },
  },
  {
    id: "hpack-encode",
    title: "HPACK blocks written, in memory",
    unit: PER_CPU_SECOND,
    run: { wire: looped(codecs.hpackEncode) },
  },
  {
    id: "http1-idle",
    title: "idle HTTP/1.1 connection, with its socket",
    unit: "KiB",
    run: { wire: idle("http1", wireHttp1Server), node: idle("http1", nodeHttp1Server) },
  },
  {
    id: "http2-idle",
    title: "idle HTTP/2 connection, with its socket",
    unit: "KiB",
    run: { wire: idle("http2", wireHttp2Server), node: idle("http2", nodeHttp2Server) },
  },
  { id: "socket-idle", title: "  the socket alone", unit: "KiB", run: { node: idle("nothing", createServer) } },
  {
    id: "tunnel-client-idle",
    title: "idle tunnel stream at the client, alive in its heap and buffers",
    unit: "KiB",
    run: { wire: () => idleTunnelKib("client") },
  },
  {
    id: "tunnel-server-idle",
    title: "idle tunnel stream at the server, alive in its heap and buffers",
    unit: "KiB",
    run: { wire: () => idleTunnelKib("server") },
  },
];
