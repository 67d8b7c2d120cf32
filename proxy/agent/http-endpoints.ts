import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Agent } from "./agent.ts";
import { configDump, dumpJson } from "./config-dump.ts";
import { formatExposition } from "./exposition.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { agentStatus } from "./status.ts";

export const METRICS_PORT = 15020;
export const READY_PORT = 15021;

/** Who asks slowly holds a connection and nothing else. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 64;

/** What is answered to GET on a path: media type and body, made anew each time; and whether it is a failure. */
type Pages = Readonly<Record<string, () => { readonly type: string; readonly body: string; readonly status?: number }>>;

const JSON_TYPE = "application/json; charset=utf-8";
const TEXT_TYPE = "text/plain; charset=utf-8";
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Starts the three servers: metrics, readiness, and the admin API on its unix socket. @throws Error if one cannot listen */
export const serveHttp = async (agent: Agent): Promise<readonly Server[]> => {
  const metrics = (): { type: string; body: string } => ({
    type: METRICS_TYPE,
    body: formatExposition(nodeMetrics(agent)),
  });
  const ready = () => ({
    type: TEXT_TYPE,
    status: agent.notReady.length === 0 ? 200 : 503,
    body: agent.notReady.length === 0 ? "ready\n" : `${agent.notReady.join("\n")}\n`,
  });
  // A killed agent leaves its socket behind; the folder is the agent's own.
  rmSync(agent.settings.adminSocket, { force: true });
  return Promise.all([
    serve({ "/metrics": metrics, "/stats/prometheus": metrics }, METRICS_PORT),
    serve({ "/healthz/ready": ready }, READY_PORT),
    serve(
      {
        "/status": () => ({ type: JSON_TYPE, body: dumpJson(agentStatus(agent)) }),
        "/config_dump": () => ({ type: JSON_TYPE, body: dumpJson(configDump(agent)) }),
        "/certificates": () => ({ type: JSON_TYPE, body: dumpJson(agent.certificates.status) }),
      },
      agent.settings.adminSocket,
    ),
  ]);
};

const serve = (pages: Pages, where: number | string): Promise<Server> => {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) =>
    answer(pages, request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(typeof where === "string" ? { path: where } : { port: where }, () => {
      if (typeof where === "string") chmodSync(where, 0o600);
      resolve(server);
    });
  });
};

const answer = (pages: Pages, request: IncomingMessage, response: ServerResponse): void => {
  const path = (request.url ?? "").split("?")[0] ?? "";
  const page = request.method === "GET" && Object.hasOwn(pages, path) ? pages[path] : undefined;
  const { type, body, status } = page?.() ?? {
    type: TEXT_TYPE,
    status: 404,
    body: `GET one of ${Object.keys(pages).join(", ")}\n`,
  };
  response.writeHead(status ?? 200, { "content-type": type }).end(body);
};
