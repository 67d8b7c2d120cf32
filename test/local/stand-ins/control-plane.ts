import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { ControlPlaneDump } from "#mesh/admin/control-plane-status.ts";
import { inventoryOf } from "./declared-objects.ts";

/** Stands in for the control plane where only the runtime is tested: it lists what is declared, and sends no node anything. */
const { HEDDLE_OBJECTS_DIR = "", HEDDLE_ASSIGNED_DIR = "", HEDDLE_ADMIN_SOCKET = "" } = process.env;

const LOOK_EVERY_MS = 50;

const inventoryAfter = async (version: string, waitMs: number) => {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const inventory = inventoryOf(HEDDLE_OBJECTS_DIR, HEDDLE_ASSIGNED_DIR);
    if (inventory.version !== version || Date.now() >= deadline) return inventory;
    await delay(LOOK_EVERY_MS);
  }
};

const answer = async (path: string, query: URLSearchParams): Promise<unknown> => {
  if (path === "/inventory") return inventoryAfter(query.get("after") ?? "", Number(query.get("waitMs") ?? 0));
  if (path === "/join-tokens") return { token: "a-token", expiresAt: new Date().toISOString() };
  if (path !== "/config_dump") return undefined;
  return { objects: [], workloads: [], services: [], policies: [], nodes: [] } satisfies ControlPlaneDump;
};

createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://control-plane");
  void answer(url.pathname, url.searchParams).then((value) => {
    response.writeHead(value === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(value ?? { error: "not here" }));
  });
}).listen(HEDDLE_ADMIN_SOCKET);
console.log("stand-in for the control plane is listening");
