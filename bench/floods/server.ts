/**
 * What is flooded: the connection for HTTP/2 requests and the one for tunnels, as the proxy has them, in one process.
 * Asked over IPC.
 */
import { LoopBlock } from "../measure/loop-block.ts";
import { liveBytes } from "../measure/live-memory.ts";
import { listening } from "../wire/listening.ts";
import { http2Server, tunnelServer } from "./flooded-servers.ts";
import { answer } from "../measure/program.ts";

const loop = new LoopBlock();

const replies = {
  listen: async () => ({ http2: await listening(http2Server()), tunnel: await listening(tunnelServer()) }),
  memory: async () => ({ bytes: await liveBytes() }),
  begin: () => {
    loop.begin();
    return {};
  },
  /** The longest that the event loop was busy with one thing. */
  end: () => loop.end(),
};
export type FloodedServer = typeof replies;
answer(replies);
