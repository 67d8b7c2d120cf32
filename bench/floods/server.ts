/**
 * What is flooded: the connection for HTTP/2 requests and the one for tunnels, as the proxy has them, in one process.
 * Asked over IPC.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { listening } from "../wire/listening.ts";
import { http2Server, tunnelServer } from "./flooded-servers.ts";
import { answer } from "./program.ts";

const SETTLE_MS = 100;
const RESOLUTION_MS = 1;
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

const replies = {
  listen: async () => ({ http2: await listening(http2Server()), tunnel: await listening(tunnelServer()) }),
  /** What is alive: two collections, since the memory of buffers is given back behind the first. */
  memory: async () => {
    for (let count = 0; count < 2; count++) {
      await delay(SETTLE_MS);
      globalThis.gc?.();
    }
    const { heapUsed, external } = process.memoryUsage();
    return { bytes: heapUsed + external };
  },
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
