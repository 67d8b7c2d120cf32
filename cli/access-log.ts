import type { AccessLogEntry } from "#local/nodes/access-log.ts";

/** What the first columns of a printed line are. */
const LEADING_FIELDS = ["time", "msg", "direction"];
/** What of a request is told in a form of its own, after them. */
const REQUEST_FIELDS = [
  "method",
  "authority",
  "path",
  "protocol",
  "response_code",
  "grpc_status",
  "response_flags",
  "duration_ms",
];
/** Fields of every line of a node's log, which say nothing about the connection. */
const COMMON_FIELDS = [...LEADING_FIELDS, "log", "level", "event", "pid", "node", "process", "role"];

const HIDDEN_OF_CONNECTIONS: ReadonlySet<string> = new Set(COMMON_FIELDS);
const HIDDEN_OF_REQUESTS: ReadonlySet<string> = new Set([...COMMON_FIELDS, ...REQUEST_FIELDS]);

/** An entry as one line for people: when, what, of a request what was asked and answered, and then everything else by name. */
export const accessLogText = (entry: AccessLogEntry): string => {
  const isRequest = entry.event === "request";
  const hidden = isRequest ? HIDDEN_OF_REQUESTS : HIDDEN_OF_CONNECTIONS;
  const leading = LEADING_FIELDS.map((name) => text(name, entry[name]));
  const details = Object.entries(entry)
    .filter(([name]) => !hidden.has(name))
    .map(([name, value]) => `${name}=${text(name, value)}`);
  return [...leading, ...(isRequest ? requestParts(entry) : []), ...details].filter((part) => part !== "").join("  ");
};

/** `GET web.shop/cart/1 HTTP/1.1`, `200 grpc=5 -`, `12ms` */
const requestParts = (entry: AccessLogEntry): readonly string[] => {
  const told = (name: string): string => text(name, entry[name]);
  const grpc = entry.grpc_status === undefined ? [] : [`grpc=${told("grpc_status")}`];
  return [
    [told("method"), `${told("authority")}${told("path")}`, told("protocol")].join(" "),
    [told("response_code"), ...grpc, told("response_flags")].join(" "),
    `${told("duration_ms")}ms`,
  ];
};

const text = (name: string, value: unknown): string => {
  if (value === undefined || value === null) return "";
  if (name === "time" && typeof value === "number") return new Date(value).toISOString();
  return JSON.stringify(value)
    .replaceAll(/^"|"$/g, "")
    .replaceAll(/[^ -~]/g, escaped);
};

/** No terminal is steered by a log: JSON leaves control characters of eight bits as they are. */
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
