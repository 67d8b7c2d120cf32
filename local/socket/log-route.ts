import type { ServerResponse } from "node:http";
import { isAbout, parseAccessLog } from "../nodes/access-log.ts";
import { podNetworkName } from "../pods/pod-sandbox.ts";
import { tailOfLog } from "../processes/bounded-log.ts";
import type { LogFolder } from "../processes/log-folder.ts";
import { err, ok, type Result } from "#mesh/result.ts";

/** Which log is asked for, and how much of it. */
export interface LogRequest {
  /** Its name in the log folder. */
  readonly log: string;
  readonly whose: { readonly kind: "pod" | "node" | "part"; readonly name: string };
  /** Undefined: all lines. Otherwise only lines of the access log, and only those about somebody unless it is empty. */
  readonly access: string | undefined;
  readonly tail: number;
  readonly follow: boolean;
}

/** As many lines as somebody scrolls through. */
const DEFAULT_TAIL_LINES = 1_000;
/** What is listed where something is not there. */
const MAX_LISTED = 20;
/** A client that is this far behind is cut off: a log that is read slowly must not fill the runtime's memory. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** Reads `?pod=NS/POD`, `?node=NAME` or `?part=control-plane|runtime`, with `access=`, `tail` and `follow=1`. */
export const parseLogRequest = (query: URLSearchParams): Result<LogRequest, string> => {
  const found = logName(query);
  const tail = Number(query.get("tail") ?? DEFAULT_TAIL_LINES);
  if (found === undefined) return err("name a pod (NS/POD), a node, or a part (control-plane, runtime)");
  if (!Number.isInteger(tail) || tail < 0) return err("tail must be a number of lines");
  return ok({ ...found, access: query.get("access") ?? undefined, tail, follow: query.get("follow") === "1" });
};

/** What there is, of which a log may be asked for. */
export interface LogOwners {
  readonly logs: Pick<LogFolder, "has">;
  /** As NS/POD. */
  readonly pods: readonly string[];
  readonly nodes: readonly string[];
}

/** Why there is no such log, and which ones there are; undefined if there is one. The log of a pod outlives it. */
export const missingLog = ({ log, whose }: LogRequest, { logs, pods, nodes }: LogOwners): string | undefined => {
  if (whose.kind === "part") return undefined;
  const names = whose.kind === "pod" ? pods : nodes;
  if (names.includes(whose.name) || (whose.kind === "pod" && logs.has(log))) return undefined;
  return `there is no ${whose.kind} ${whose.name}; ${listOf(`${whose.kind}s`, names)}`;
};

/** Answers with the end of a log, and with what is added to it for as long as the client stays, if it wants that. */
export const sendLog = (logs: LogFolder, request: LogRequest, response: ServerResponse): void => {
  const { log, tail, follow } = request;
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  response.flushHeaders();
  response.write(tailOfLog(logs.pathOf(log), tail, (line) => isWanted(line, request)));
  const unfollow = follow
    ? logs.follow(log, (chunk) => {
        if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
        else response.write(chunk);
      })
    : undefined;
  if (unfollow === undefined) {
    response.end();
    return;
  }
  logs.find(log)?.once("close", () => response.end());
  response.on("close", unfollow);
};

/** Only of what was written before: what follows comes in pieces that need not be lines, and whoever reads them sorts them. */
const isWanted = (line: string, { access }: LogRequest): boolean => {
  if (access === undefined) return true;
  const entry = parseAccessLog(line);
  return entry !== undefined && (access === "" || isAbout(entry, access));
};

const logName = (query: URLSearchParams): Pick<LogRequest, "log" | "whose"> | undefined => {
  const [pod, node, part] = [query.get("pod"), query.get("node"), query.get("part")];
  const [, namespace, name] = /^([a-z0-9-]+)\/([a-z0-9.-]+)$/.exec(pod ?? "") ?? [];
  if (namespace !== undefined && name !== undefined) {
    return { log: podNetworkName({ namespace, name }), whose: { kind: "pod", name: `${namespace}/${name}` } };
  }
  if (node !== null && /^[a-z0-9-]+$/.test(node)) return { log: node, whose: { kind: "node", name: node } };
  return part === "control-plane" || part === "runtime"
    ? { log: part, whose: { kind: "part", name: part } }
    : undefined;
};

const listOf = (what: string, names: readonly string[]): string => {
  if (names.length === 0) return `the mesh has no ${what}`;
  const more = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : "";
  return `the mesh's ${what} are ${names.slice(0, MAX_LISTED).join(", ")}${more}`;
};
