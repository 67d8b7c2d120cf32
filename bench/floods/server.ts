/**
 * What is flooded: the connection for HTTP/2 requests and the one for tunnels, as the proxy has them, in one process.
 * Asked over IPC.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { liveBytes } from "../measure/live-memory.ts";
import { listening } from "../wire/listening.ts";
import { http2Server, tunnelServer } from "./flooded-servers.ts";
import { answer } from "../measure/program.ts";

const RESOLUTION_MS = 1;
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

const replies = {
  listen: async () => ({ http2: await listening(http2Server()), tunnel: await listening(tunnelServer()) }),
  memory: async () => ({ bytes: await liveBytes() }),
  begin: () => {
    loop.enable();
    loop.reset();
    return {};
  },
  /** The longest that the event loop was busy with one thing, in ms. */
  end: () => {
    loop.disable();
    return { blockMs: Math.max(0, loop.max / 1e6 - RESOLUTION_MS) };
  },
};
export type FloodedServer = typeof replies;
answer(replies);
