/** A line of a node's access log: what happened to one connection or request. */
export type AccessLogEntry = Readonly<Record<string, unknown>>;

/** Reads a line of a node's log. @returns undefined for a line that is not of the access log */
export const parseAccessLog = (line: string): AccessLogEntry | undefined => {
  try {
    const entry: unknown = JSON.parse(line);
    const isEntry = typeof entry === "object" && entry !== null && (entry as AccessLogEntry).log === "access";
    return isEntry ? (entry as AccessLogEntry) : undefined;
  } catch {
    return undefined;
  }
};

/**
 * Whether a line of the access log is about somebody: `NAMESPACE/NAME` is a pod or another workload at either end, or a
 * service that was called or that a route chose, or whatever else a field calls so, as a policy or a route. Any other text is looked for everywhere in the line.
 */
export const isAbout = (entry: AccessLogEntry, who: string): boolean => {
  const [namespace = "", name = "", ...rest] = who.split("/");
  if (namespace === "" || name === "" || rest.length > 0) return JSON.stringify(entry).includes(who);
  const isEnd = ENDS.some(
    ([nameField, namespaceField]) => entry[nameField] === name && entry[namespaceField] === namespace,
  );
  const isCalled = isService(entry["dst.service"], namespace, name) || isService(entry.backend, namespace, name);
  return isEnd || isCalled || Object.values(entry).includes(who);
};

/** The fields that name a pod: the ends of a connection, and whose pod it was where nothing else is known. */
const ENDS = [
  ["src.workload", "src.namespace"],
  ["dst.workload", "dst.namespace"],
  ["pod.name", "pod.namespace"],
] as const;

/** A hostname begins with the service's name and namespace, as in `web.shop.svc.cluster.local`. */
const isService = (hostname: unknown, namespace: string, name: string): boolean =>
  typeof hostname === "string" && hostname.startsWith(`${name}.${namespace}.svc.`);
