import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Agent } from "./agent.ts";
import type { RequestExplanation } from "#mesh/admin/request-explanation.ts";
import type { Result } from "#mesh/result.ts";
import { configDump, dumpJson } from "./config-dump.ts";
import { explainForNode } from "./explain-for-node.ts";
import { expositionParts } from "./exposition.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { type Page, sendPage } from "./page.ts";
import { routeTraffic } from "./route-traffic.ts";
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
type Pages = Readonly<Record<string, () => Page>>;

/** The same for POST, from the JSON that is posted. */
type Forms = Readonly<Record<string, (question: unknown) => Page>>;

/** A question is a few lines. */
const MAX_QUESTION_BYTES = 256 * 1024;

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
  // All of it may be tens of megabytes.
  const metrics = (): Page => ({ type: METRICS_TYPE, body: expositionParts(nodeMetrics(agent)) });
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
      "/route-traffic": () => ({ type: JSON_TYPE, body: dumpJson(routeTraffic(agent)) }),
    },
    agent.settings.adminSocket,
    { "/explain/request": (question) => explained(explainForNode(agent, question)) },
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

const explained = (explanation: Result<RequestExplanation, string>): Page =>
  explanation.ok
    ? { type: JSON_TYPE, body: dumpJson(explanation.value) }
    : { type: JSON_TYPE, status: 400, body: dumpJson({ error: explanation.error }) };

const serve = (pages: Pages, where: number | string, forms: Forms = {}): Promise<Server> => {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    const form = request.method === "POST" ? forms[pathOf(request)] : undefined;
    if (form) void answerForm(form, request, response);
    else answer(pages, request, response);
  });
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
  const path = pathOf(request);
  const page = request.method === "GET" && Object.hasOwn(pages, path) ? pages[path] : undefined;
  sendPage(
    request,
    response,
    page?.() ?? {
      type: TEXT_TYPE,
      status: 404,
      body: `GET one of ${Object.keys(pages).join(", ")}\n`,
    },
  );
};

const answerForm = async (
  form: (question: unknown) => Page,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const refuse = (status: number, error: string): void =>
    sendPage(request, response, { type: JSON_TYPE, status, body: dumpJson({ error }) });
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_QUESTION_BYTES) return refuse(413, `more than ${MAX_QUESTION_BYTES} bytes`);
      chunks.push(chunk);
    }
    sendPage(request, response, form(JSON.parse(Buffer.concat(chunks).toString())));
  } catch (error) {
    refuse(error instanceof SyntaxError ? 400 : 500, String(error));
  }
};

const pathOf = ({ url = "" }: IncomingMessage): string => url.split("?")[0] ?? "";
