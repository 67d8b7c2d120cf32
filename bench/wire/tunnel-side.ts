/** One side of tunnels that nobody uses. Asked over IPC. */
import { liveBytes } from "../measure/live-memory.ts";
import { answer } from "../measure/program.ts";
import { listening } from "./listening.ts";
import { openConnections, openTunnels, tunnelServer } from "./tunnels.ts";
import type { TunnelConnection } from "#proxy/tunnel/tunnel.ts";

let connections: readonly TunnelConnection[] = [];

const replies = {
  listen: async () => ({ port: await listening(tunnelServer()) }),
  connect: async ({ port, count }: { readonly port: number; readonly count: number }) => {
    connections = await openConnections(port, count);
    return {};
  },
  open: async ({ each }: { readonly each: number }) => {
    await openTunnels(connections, each);
    return {};
  },
  memory: async () => ({ bytes: await liveBytes() }),
};
export type TunnelSide = typeof replies;
answer(replies);
