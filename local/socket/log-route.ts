import type { ServerResponse } from "node:http";
import { podNetworkName } from "../pods/pod-sandbox.ts";
import { tailOfLog } from "../processes/bounded-log.ts";
import type { LogFolder } from "../processes/log-folder.ts";
import { err, ok, type Result } from "#mesh/result.ts";

/** Which log is asked for, and how much of it. */
export interface LogRequest {
  /** Its name in the log folder. */
  readonly log: string;
  readonly tail: number;
  readonly follow: boolean;
}

/** As many lines as somebody scrolls through. */
const DEFAULT_TAIL_LINES = 1_000;
/** A client that is this far behind is cut off: a log that is read slowly must not fill the runtime's memory. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** Reads `?pod=NS/POD`, `?node=NAME` or `?part=control-plane|runtime`, with `tail` and `follow=1`. */
export const parseLogRequest = (query: URLSearchParams): Result<LogRequest, string> => {
  const log = logName(query);
  const tail = Number(query.get("tail") ?? DEFAULT_TAIL_LINES);
  if (log === undefined) return err("name a pod (NS/POD), a node, or a part (control-plane, runtime)");
  if (!Number.isInteger(tail) || tail < 0) return err("tail must be a number of lines");
  return ok({ log, tail, follow: query.get("follow") === "1" });
};

/** Answers with the end of a log, and with what is added to it for as long as the client stays, if it wants that. */
export const sendLog = (logs: LogFolder, { log, tail, follow }: LogRequest, response: ServerResponse): void => {
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  response.flushHeaders();
  response.write(tailOfLog(logs.pathOf(log), tail));
  const source = follow ? logs.find(log) : undefined;
  if (source === undefined) {
    response.end();
    return;
  }
  const unfollow = source.follow((chunk) => {
    if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
    else response.write(chunk);
  });
  source.once("close", () => response.end());
  response.on("close", unfollow);
};

const logName = (query: URLSearchParams): string | undefined => {
  const [pod, node, part] = [query.get("pod"), query.get("node"), query.get("part")];
  const [, namespace, name] = /^([a-z0-9-]+)\/([a-z0-9.-]+)$/.exec(pod ?? "") ?? [];
  if (namespace !== undefined && name !== undefined) return podNetworkName({ namespace, name });
  if (node !== null && /^node-\d+$/.test(node)) return node;
  return part === "control-plane" || part === "runtime" ? part : undefined;
};
