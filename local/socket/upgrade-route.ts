import type { ServerResponse } from "node:http";
import { err, ok, type Result } from "#mesh/result.ts";
import type { LocalMesh } from "../local-mesh.ts";
import type { UpgradePace } from "../nodes/node-upgrade.ts";

export interface UpgradeRequest extends UpgradePace {
  /** Undefined: all nodes. */
  readonly node: string | undefined;
}

export const DEFAULT_PACE: UpgradePace = { drainSeconds: 30, readySeconds: 30 };
export const MAX_DRAIN_SECONDS = 24 * 3_600;
export const MAX_READY_SECONDS = 600;

/** Reads `?node=NAME&drainSeconds=N&readySeconds=N`, each of which may be left out. @param nodes there are */
export const parseUpgradeRequest = (
  query: URLSearchParams,
  nodes: readonly string[],
): Result<UpgradeRequest, string> => {
  const node = query.get("node") ?? undefined;
  if (node !== undefined && !nodes.includes(node)) {
    return err(`there is no node ${JSON.stringify(node)}; the mesh's nodes are ${nodes.join(", ")}`);
  }
  const drainSeconds = Number(query.get("drainSeconds") ?? DEFAULT_PACE.drainSeconds);
  const readySeconds = Number(query.get("readySeconds") ?? DEFAULT_PACE.readySeconds);
  if (!isWhole(drainSeconds, 0, MAX_DRAIN_SECONDS)) return err(`drainSeconds must be from 0 to ${MAX_DRAIN_SECONDS}`);
  if (!isWhole(readySeconds, 1, MAX_READY_SECONDS)) return err(`readySeconds must be from 1 to ${MAX_READY_SECONDS}`);
  return ok({ node, drainSeconds, readySeconds });
};

/** Answers with what happens, an UpgradeEvent on each line, until it is over. It goes on when nobody listens any more. */
export const streamUpgrade = async (
  mesh: LocalMesh,
  request: UpgradeRequest,
  response: ServerResponse,
): Promise<void> => {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  response.flushHeaders();
  await mesh.upgrade(request.node, request, (event) => void response.write(`${JSON.stringify(event)}\n`));
  response.end();
};

const isWhole = (value: number, min: number, max: number): boolean =>
  Number.isInteger(value) && value >= min && value <= max;
