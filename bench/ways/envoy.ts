import { join } from "node:path";
import type { TemporaryMesh } from "#cli/temporary-mesh.ts";
import { ENVOY_CLIENT_PORTS } from "./envoy-config.ts";
import { type PeerPair, peerProcesses } from "./peer-pair.ts";
import { COMMON_WAY, type Way } from "./way.ts";

/** @param binary as named by ENVOY; run through a link in the folder, so that the process has a name that is known */
export const envoyPair = (folder: string): PeerPair => ({
  name: "envoy",
  client: "envoy-client.json",
  server: "envoy-server.json",
  command: (file) =>
    `${join(folder, "envoy")} --concurrency 1 --disable-hot-restart --log-level warn --config-path ${file}`,
});

const HOST = "127.0.0.1";

/** Envoy on both sides, HTTP/2 with mutual TLS between them, and a policy at the server's. */
export const envoy = (mesh: TemporaryMesh, folder: string): Way => ({
  ...COMMON_WAY,
  name: "envoy",
  carrier: "envoy",
  mesh,
  client: "plain/client",
  http: { host: HOST, port: ENVOY_CLIENT_PORTS.http },
  http2: { host: HOST, port: ENVOY_CLIENT_PORTS.http2 },
  bytes: { host: HOST, port: ENVOY_CLIENT_PORTS.http },
  processes: () => Promise.resolve(peerProcesses(mesh, envoyPair(folder), folder)),
});
