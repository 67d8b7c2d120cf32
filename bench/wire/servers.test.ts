import type { Server } from "node:net";
import { expect, test } from "vitest";
import { http1Requests } from "./http1-load.ts";
import { nodeHttp1Server, wireHttp1Server } from "./http1-servers.ts";
import { http2Data, http2Requests, http2SameRequests } from "./http2-load.ts";
import { nodeHttp2Server, wireHttp2Server } from "./http2-servers.ts";
import { listening } from "./listening.ts";
import type { Load } from "./load.ts";

/** More than the windows hold to begin with. */
const ENOUGH = 1000;

test.each<[string, Load, string, () => Server]>([
  ["HTTP/1.1 requests", http1Requests, "wire", wireHttp1Server],
  ["HTTP/1.1 requests", http1Requests, "Node.js", nodeHttp1Server],
  ["HTTP/2 requests", http2Requests, "wire", wireHttp2Server],
  ["HTTP/2 requests", http2Requests, "Node.js", nodeHttp2Server],
  ["equal HTTP/2 requests", http2SameRequests, "wire", wireHttp2Server],
  ["equal HTTP/2 requests", http2SameRequests, "Node.js", nodeHttp2Server],
  ["DATA frames", http2Data, "wire", wireHttp2Server],
  ["DATA frames", http2Data, "Node.js", nodeHttp2Server],
])("$0 are taken by the server of $2 for as long as they come", async (_, load, _name, makeServer) => {
  const server = makeServer();
  let done = 0;
  await load(
    await listening(server),
    () => done >= ENOUGH,
    (more) => (done += more),
  );
  server.close();
  expect(done).toBeGreaterThanOrEqual(ENOUGH);
});
