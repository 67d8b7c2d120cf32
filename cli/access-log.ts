import type { AccessLogEntry } from "#local/nodes/access-log.ts";

/** What the first columns of a printed line are. */
const LEADING_FIELDS = ["time", "msg", "direction"];
/** Fields of every line of a node's log, which say nothing about the connection. */
const COMMON_FIELDS = new Set([...LEADING_FIELDS, "log", "level", "event", "pid", "node", "process", "role"]);

/** An entry as one line for people: when, what, and then everything else by name. */
export const accessLogText = (entry: AccessLogEntry): string => {
  const leading = LEADING_FIELDS.map((name) => text(name, entry[name])).filter((part) => part !== "");
  const details = Object.entries(entry)
    .filter(([name]) => !COMMON_FIELDS.has(name))
    .map(([name, value]) => `${name}=${text(name, value)}`);
  return [...leading, ...details].join("  ");
};

const text = (name: string, value: unknown): string => {
  if (value === undefined || value === null) return "";
  if (name === "time" && typeof value === "number") return new Date(value).toISOString();
  return JSON.stringify(value).replaceAll(/^"|"$/g, "");
};
