import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { EXEC_PROTOCOL } from "../exec/exec-frames.ts";
import { serveExec } from "../exec/exec-session.ts";
import type { LocalMesh } from "../local-mesh.ts";
import { nodeLayout, RUN } from "../run-layout.ts";
import { streamCapture } from "./capture-route.ts";
import { forward } from "./forward.ts";
import { missingLog, parseLogRequest, sendLog } from "./log-route.ts";
import { parseUpgradeRequest, streamUpgrade } from "./upgrade-route.ts";
import { sendSignal, type SignalRequest } from "./signal-route.ts";

/**
 * Opens the socket on which a running mesh is spoken to (HTTP, JSON):
 *
 *     GET  /status                         RuntimeStatus
 *     any  /control-plane/...              the control plane's admin API
 *     any  /nodes/NODE/...                 the admin API of a node's agent
 *     POST /exec                           upgraded to {@link EXEC_PROTOCOL}
 *     GET  /logs?pod=|node=|part=          see {@link parseLogRequest}
 *     GET  /capture?node=NODE              the frames on a node's uplink, as a pcap file
 *     POST /upgrade?node=&drainSeconds=    see {@link streamUpgrade}
 *     POST /signal                         SignalRequest
 *     POST /down                           answered when everything has ended
 *
 * A socket that a mesh left behind that was killed is replaced.
 */
export const listenOnSocket = async (mesh: LocalMesh, path: string, onDown: () => void): Promise<Server> => {
  const server = createServer((request, response) => {
    void answer(mesh, request, response, onDown).catch((error: unknown) => refuse(response, 500, String(error)));
  });
  server.on("upgrade", (request, connection, head) => {
    if (request.url !== "/exec" || request.headers.upgrade !== EXEC_PROTOCOL) {
      connection.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
      return;
    }
    connection.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${EXEC_PROTOCOL}\r\n\r\n`);
    connection.unshift(head);
    const findPod = mesh.pods.find.bind(mesh.pods);
    serveExec(connection, { mesh: mesh.name, host: mesh.host, findPod });
  });
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return server;
};

const answer = async (
  mesh: LocalMesh,
  request: IncomingMessage,
  response: ServerResponse,
  onDown: () => void,
): Promise<void> => {
  const url = new URL(request.url ?? "/", "http://heddle");
  const [, first = "", second = ""] = url.pathname.split("/");
  switch (`${request.method} /${first}`) {
    case "GET /status":
      return send(response, await mesh.status());
    case "GET /logs":
      return logs(mesh, url.searchParams, response);
    case "GET /capture":
      return capture(mesh, url.searchParams.get("node") ?? "", response);
    case "POST /signal": {
      const sent = await sendSignal(mesh, (await json(request)) as SignalRequest);
      return sent.ok ? send(response, { pid: sent.value }) : refuse(response, 404, sent.error);
    }
    case "POST /upgrade":
      return upgrade(mesh, url.searchParams, response);
    case "POST /down":
      await mesh.stop();
      response.on("close", onDown);
      return send(response, {});
    default:
      return forwardTo(mesh, first, second, url, request, response);
  }
};

const upgrade = async (mesh: LocalMesh, query: URLSearchParams, response: ServerResponse): Promise<void> => {
  const nodes = mesh.nodes.map(({ name }) => name);
  const wanted = parseUpgradeRequest(query, nodes);
  if (wanted.ok) await streamUpgrade(mesh, wanted.value, response);
  else refuse(response, 400, wanted.error);
};

const logs = (mesh: LocalMesh, query: URLSearchParams, response: ServerResponse): void => {
  const wanted = parseLogRequest(query);
  if (!wanted.ok) return refuse(response, 400, wanted.error);
  const pods = mesh.pods.reports.map(({ namespace, name }) => `${namespace}/${name}`);
  const missing = missingLog(wanted.value, { logs: mesh.logs, pods, nodes: mesh.nodes.map(({ name }) => name) });
  return missing === undefined ? sendLog(mesh.logs, wanted.value, response) : refuse(response, 404, missing);
};

const capture = (mesh: LocalMesh, name: string, response: ServerResponse): void => {
  if (mesh.nodes.some((node) => node.name === name)) streamCapture(name, response);
  else refuse(response, 404, `there is no node ${JSON.stringify(name)}`);
};

const forwardTo = (
  mesh: LocalMesh,
  first: string,
  second: string,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): void => {
  if (first === "control-plane") {
    const path = url.pathname.slice("/control-plane".length) + url.search;
    return forward(RUN.controlPlaneSocket, path, request, response, "the control plane");
  }
  const node = mesh.nodes.findIndex(({ name }) => name === second) + 1;
  if (first !== "nodes" || node === 0) return refuse(response, 404, `nothing is at ${url.pathname}`);
  const path = url.pathname.slice(`/nodes/${second}`.length) + url.search;
  return forward(nodeLayout(node).agentSocket, path, request, response, `the agent of ${second}`);
};

const send = (response: ServerResponse, value: unknown): void => {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
};

const refuse = (response: ServerResponse, status: number, error: string): void => {
  if (response.headersSent) response.destroy();
  else response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error }));
};
