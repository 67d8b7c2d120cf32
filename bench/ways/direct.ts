import type { TemporaryMesh } from "#cli/temporary-mesh.ts";
import { SERVER_PORTS } from "../mesh/nginx-config.ts";
import { COMMON_WAY, type Way } from "./way.ts";

/** Nothing in between: what client, server and network cost by themselves. */
export const direct = (mesh: TemporaryMesh, server: string): Way => ({
  ...COMMON_WAY,
  name: "direct",
  carrier: "nobody",
  mesh,
  client: "plain/client",
  http: { host: server, port: SERVER_PORTS.http },
  http2: { host: server, port: SERVER_PORTS.http2 },
  bytes: { host: server, port: SERVER_PORTS.bytes },
  processes: () => Promise.resolve([]),
});
