import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { DIRECT_PORTS, LOCAL_PORTS } from "../kernel/pod-sockets.ts";
import { INBOUND_PORT, OUTBOUND_PORT, TUNNEL_PORT } from "./rules.ts";

const NET = "/proc/sys/net/ipv4";
/** Kept free as well: the port of the DNS proxy. */
const DNS_PORT = 15053;

/** Settings of a namespace with their values, as paths below /proc/sys/net/ipv4. */
export type Sysctls = ReadonlyMap<string, string>;

/**
 * Prepares the current namespace. Runs inside it: /proc/sys/net shows the namespace of whoever looks.
 * - Source ports: the ranges of {@link LOCAL_PORTS} and {@link DIRECT_PORTS} only hold inside the namespace's own range, and
 *   nobody's port may be one that the proxy listens on.
 * - `tcp_tw_reuse`: without it 28,000 dials in a row to one application use up every port for a minute.
 * - Reverse-path filtering would drop, on the loopback interface, what comes from a client's address. It is turned off
 *   there, and stays as strict as it was everywhere else.
 * @returns what was set before, for {@link restoreSysctls}
 * @throws Error if one cannot be set; then the others are as they were
 */
export const prepareSysctls = (): Sysctls => {
  const before = new Map<string, string>();
  try {
    prepare(before);
    return before;
  } catch (error) {
    restoreSysctls(before);
    throw error;
  }
};

/** @param before filled with what was set, each before it is changed */
const prepare = (before: Map<string, string>): void => {
  const remember = (name: string): string => {
    const value = before.get(name) ?? readFileSync(`${NET}/${name}`, "utf8").trim();
    before.set(name, value);
    return value;
  };
  const set = (name: string, value: string): void => {
    if (!existsSync(`${NET}/${name}`)) return;
    remember(name);
    writeFileSync(`${NET}/${name}`, value);
  };
  set("ip_local_port_range", `${LOCAL_PORTS.first} ${DIRECT_PORTS.last}`);
  set("ip_local_reserved_ports", [OUTBOUND_PORT, INBOUND_PORT, TUNNEL_PORT, DNS_PORT].join(","));
  set("tcp_tw_reuse", "1");
  const strictest = Number(readFileSync(`${NET}/conf/all/rp_filter`, "utf8"));
  if (strictest === 0) return set("conf/lo/rp_filter", "0");
  const links = readdirSync(`${NET}/conf`).filter((name) => name !== "all");
  // All of them before the first is set: the kernel copies the default to every link that never had a value of its own.
  const values = links.map((link) => [link, Number(remember(`conf/${link}/rp_filter`))] as const);
  for (const [link, own] of values) {
    set(`conf/${link}/rp_filter`, link === "lo" ? "0" : String(Math.max(own, strictest)));
  }
  set("conf/all/rp_filter", "0");
};

/** Puts back what {@link prepareSysctls} found, inside the same namespace. A setting that is gone meanwhile is left out. */
export const restoreSysctls = (before: Sysctls): void => {
  for (const [name, value] of [...before].reverse()) {
    try {
      // With a line end: an empty value would not be written at all.
      writeFileSync(`${NET}/${name}`, `${value}\n`);
    } catch {
      // The interface may be gone, and with it the setting.
    }
  }
};
