import { Program } from "../measure/program.ts";
import type { TunnelSide } from "./tunnel-side.ts";

const CONNECTIONS = 20;
/** On each connection, before it is measured: they load code, and a connection takes then what it takes for itself. */
const FIRST_TUNNELS = 10;
/** On each connection beside them: as many as fit. */
const TUNNELS = 90;

/**
 * KiB that are alive in the process of one side, on the heap and in buffers, for each of 1,800 idle tunnels on 20 connections.
 * What a tunnel is joined with is not in it.
 * @param role whether it dialled the connections or was called
 */
export const idleTunnelKib = async (role: "client" | "server"): Promise<number> => {
  const start = (): Program<TunnelSide> =>
    new Program<TunnelSide>(new URL("tunnel-side.ts", import.meta.url), "load", { kind: "shared" });
  const sides = { client: start(), server: start() };
  try {
    const { port } = await sides.server.ask("listen");
    await sides.client.ask("connect", { port, count: CONNECTIONS });
    await sides.client.ask("open", { each: FIRST_TUNNELS });
    const before = await sides[role].ask("memory");
    await sides.client.ask("open", { each: TUNNELS });
    const after = await sides[role].ask("memory");
    return (after.bytes - before.bytes) / (CONNECTIONS * TUNNELS * 1024);
  } finally {
    for (const side of Object.values(sides)) side.kill();
  }
};
