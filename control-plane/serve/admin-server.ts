import { fastify, type FastifyInstance, type FastifyReply } from "fastify";
import type { AuthorityStatus, ControlPlaneDump, NodeStatus } from "#mesh/admin/control-plane-status.ts";
import type { Inventory } from "#mesh/admin/inventory.ts";
import type { RoutesDump } from "#mesh/admin/routes-dump.ts";
import { parseDnsSubdomain } from "#mesh/objects/metadata.ts";
import type { Result } from "#mesh/result.ts";
import type { JoinToken } from "./join-tokens.ts";

/** What the admin API tells and does. */
export interface AdminActions {
  readonly configDump: () => ControlPlaneDump;
  readonly routes: () => RoutesDump;
  readonly nodes: () => readonly NodeStatus[];
  readonly inventory: (after: string, waitMs: number) => Promise<Inventory>;
  readonly certificates: () => AuthorityStatus;
  readonly rotateRoot: () => Result<string, string>;
  readonly rotateIssuing: () => Result<string, string>;
  readonly cancelRotation: () => Result<undefined, string>;
  readonly leaveBehind: (node: string) => Result<string, string>;
  readonly dropRoot: (root: string, evenIfUsed: boolean) => Result<string, string>;
  readonly issueJoinToken: (node: string, lifetimeMs: number) => Promise<JoinToken>;
}

const MAX_BODY_BYTES = 16 * 1024;
/** Longer than this, whoever waits should ask again, so that both sides know that the other is there. */
const MAX_WAIT_MS = 60_000;
const DEFAULT_TOKEN_SECONDS = 3_600;
const MAX_TOKEN_SECONDS = 30 * 24 * 3_600;

const inventoryQuery = {
  type: "object",
  properties: {
    after: { type: "string", maxLength: 64, default: "" },
    waitMs: { type: "integer", minimum: 0, maximum: MAX_WAIT_MS, default: 0 },
  },
} as const;

const joinTokenBody = {
  type: "object",
  required: ["node"],
  properties: {
    node: { type: "string", minLength: 1, maxLength: 253 },
    ttlSeconds: { type: "integer", minimum: 1, maximum: MAX_TOKEN_SECONDS, default: DEFAULT_TOKEN_SECONDS },
  },
} as const;

const leaveBehindBody = {
  type: "object",
  required: ["node"],
  properties: { node: { type: "string", minLength: 1, maxLength: 253 } },
} as const;

/** Few digits might name another root than the one that was meant. */
const dropRootBody = {
  type: "object",
  required: ["root"],
  properties: {
    root: { type: "string", pattern: "^[0-9a-fA-F]{8,64}$" },
    evenIfUsed: { type: "boolean", default: false },
  },
} as const;

interface InventoryQuery {
  readonly after: string;
  readonly waitMs: number;
}

interface JoinTokenBody {
  readonly node: string;
  readonly ttlSeconds: number;
}

/** The admin API, JSON over HTTP. Who can connect may do everything: it belongs on a socket that only its owner can open. */
export const createAdminServer = (actions: AdminActions): FastifyInstance => {
  const app = fastify({ logger: false, bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true });
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/config_dump", () => actions.configDump());
  app.get("/routes", () => actions.routes());
  app.get("/nodes", () => actions.nodes());
  app.get("/certificates", () => actions.certificates());
  app.get<{ Querystring: InventoryQuery }>("/inventory", { schema: { querystring: inventoryQuery } }, ({ query }) =>
    actions.inventory(query.after, query.waitMs),
  );
  addRotations(app, actions);
  app.post<{ Body: JoinTokenBody }>("/join-tokens", { schema: { body: joinTokenBody } }, async ({ body }, reply) => {
    const node = parseDnsSubdomain(body.node);
    if (!node.ok) return reply.code(400).send({ error: node.error });
    const { token, expiresAt } = await actions.issueJoinToken(node.value, body.ttlSeconds * 1000);
    return { token, expiresAt: new Date(expiresAt).toISOString() };
  });
  app.setNotFoundHandler((request, reply) => reply.code(404).send({ error: `no ${request.method} ${request.url}` }));
  app.setErrorHandler<Error & { readonly statusCode?: number }>((error, _request, reply) =>
    reply.code(error.statusCode ?? 500).send({ error: error.message }),
  );
  return app;
};

/** The steps of a rotation. Each answers with what there is afterwards; 409 where it is not possible now. */
const addRotations = (app: FastifyInstance, actions: AdminActions): void => {
  const answer = (taken: Result<unknown, string>, reply: FastifyReply) =>
    taken.ok ? actions.certificates() : reply.code(409).send({ error: taken.error });
  const simple = {
    "rotate-root": actions.rotateRoot,
    "rotate-issuing": actions.rotateIssuing,
    "cancel-rotation": actions.cancelRotation,
  };
  for (const [name, take] of Object.entries(simple)) {
    app.post(`/certificates/${name}`, async (_request, reply) => answer(take(), reply));
  }
  app.post<{ Body: { readonly node: string } }>(
    "/certificates/leave-behind",
    { schema: { body: leaveBehindBody } },
    async ({ body }, reply) => answer(actions.leaveBehind(body.node), reply),
  );
  app.post<{ Body: { readonly root: string; readonly evenIfUsed: boolean } }>(
    "/certificates/drop-root",
    { schema: { body: dropRootBody } },
    async ({ body }, reply) => answer(actions.dropRoot(body.root, body.evenIfUsed), reply),
  );
};
