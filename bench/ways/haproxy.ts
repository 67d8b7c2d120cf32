import type { TemporaryMesh } from "#cli/temporary-mesh.ts";
import { CLIENT_PORTS } from "./haproxy-config.ts";
import { type PeerPair, peerProcesses } from "./peer-pair.ts";
import { COMMON_WAY, type Way } from "./way.ts";

export const HAPROXY: PeerPair = {
  name: "haproxy",
  client: "haproxy-client.cfg",
  server: "haproxy-server.cfg",
  command: (file) => `haproxy -db -f ${file}`,
};

const HOST = "127.0.0.1";

/** The yardstick: HTTP read and written on both sides, mutual TLS between them, connections kept. */
export const haproxy = (mesh: TemporaryMesh, folder: string): Way => ({
  ...COMMON_WAY,
  name: "haproxy",
  carrier: "haproxy",
  mesh,
  client: "plain/client",
  http: { host: HOST, port: CLIENT_PORTS.http },
  http2: { host: HOST, port: CLIENT_PORTS.http2 },
  bytes: { host: HOST, port: CLIENT_PORTS.http },
  processes: () => Promise.resolve(peerProcesses(mesh, HAPROXY, folder)),
});

/** The same two processes, but they do not look at the bytes. */
export const haproxyTcp = (mesh: TemporaryMesh, folder: string): Way => ({
  ...haproxy(mesh, folder),
  name: "haproxy-tcp",
  bytes: { host: HOST, port: CLIENT_PORTS.bytes },
  isBulkOnly: true,
});
