import { SERVER_PORTS } from "../mesh/nginx-config.ts";
import type { Way } from "./way.ts";

/** Nothing in between: what client, server and network cost by themselves. */
export const direct = (server: string): Way => ({
  name: "direct",
  client: "plain/client",
  http: { host: server, port: SERVER_PORTS.http },
  http2: { host: server, port: SERVER_PORTS.http2 },
  bytes: { host: server, port: SERVER_PORTS.bytes },
  isBulkOnly: false,
  passing: undefined,
  processes: () => Promise.resolve([]),
});
