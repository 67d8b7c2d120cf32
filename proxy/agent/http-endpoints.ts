import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
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
/** How long an agent that is being replaced may take to leave its ports. */
const PORT_WAIT_MS = 5_000;
const PORT_RETRY_MS = 5;

/** What is answered to GET on a path: media type and body, made anew each time; and whether it is a failure. */
type Pages = Readonly<Record<string, () => { readonly type: string; readonly body: string; readonly status?: number }>>;

const JSON_TYPE = "application/json; charset=utf-8";
const TEXT_TYPE = "text/plain; charset=utf-8";
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The three servers of an agent, while it answers for the node. */
export class Endpoints {
  #servers: readonly Server[] = [];
  #isOpen = false;
  #isClosed = false;

  /** @throws Error if one cannot listen */
  async open(agent: Agent): Promise<void> {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#servers = await serveHttp(agent);
    if (this.#isClosed) this.close();
  }

  /** Leaves the ports and the socket to another agent; what was asked already is answered. */
  close(): void {
    this.#isClosed = true;
    for (const server of this.#servers) {
      server.close();
      server.closeIdleConnections();
    }
  }
}

/**
 * Starts the three servers: the admin API on its unix socket, metrics, readiness. The ports are waited for a moment, as an
 * agent that is being replaced leaves them at the same time; the path of the socket is free when they are, because it
 * closes that first.
 * @throws Error if one cannot listen
 */
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
  const ports = await Promise.all([
    serveSoon({ "/metrics": metrics, "/stats/prometheus": metrics }, METRICS_PORT),
    serveSoon({ "/healthz/ready": ready }, READY_PORT),
  ]);
  // A killed agent leaves its socket behind; the folder is the agent's own.
  rmSync(agent.settings.adminSocket, { force: true });
  const admin = await serve(
    {
      "/status": () => ({ type: JSON_TYPE, body: dumpJson(agentStatus(agent)) }),
      "/config_dump": () => ({ type: JSON_TYPE, body: dumpJson(configDump(agent)) }),
      "/certificates": () => ({ type: JSON_TYPE, body: dumpJson(agent.certificates.status) }),
    },
    agent.settings.adminSocket,
  );
  return [admin, ...ports];
};

/** Listens on a port as soon as whoever has it leaves it. @throws Error if it does not */
const serveSoon = (pages: Pages, port: number, deadline = performance.now() + PORT_WAIT_MS): Promise<Server> =>
  serve(pages, port).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE" || performance.now() > deadline) throw error;
    await delay(PORT_RETRY_MS);
    return serveSoon(pages, port, deadline);
  });

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
