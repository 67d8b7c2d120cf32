import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { DIRECT_PORTS, LOCAL_PORTS } from "../kernel/pod-sockets.ts";
import { INBOUND_PORT, OUTBOUND_PORT, TUNNEL_PORT } from "./rules.ts";

const NET = "/proc/sys/net/ipv4";
/** Kept free as well: the port of the DNS proxy. */
const DNS_PORT = 15053;

/** What a setting was, and what it was set to. */
export interface SysctlChange {
  readonly before: string;
  readonly set: string;
}

/** Changed settings of a namespace, as paths below /proc/sys/net/ipv4. */
export type Sysctls = ReadonlyMap<string, SysctlChange>;

/**
 * What is to be set in the current namespace. Runs inside it: /proc/sys/net shows the namespace of whoever looks.
 * - Source ports: the ranges of {@link LOCAL_PORTS} and {@link DIRECT_PORTS} only hold inside the namespace's own range, and
 *   nobody's port may be one that the proxy listens on.
 * - `tcp_tw_reuse`: without it 28,000 dials in a row to one application use up every port for a minute.
 * - `tcp_early_demux`: with it the kernel looks for a packet's socket before it has given the connection another port (see
 *   the chain nat_input in rules.ts), and finds that of the other connection: ours are transparent, so it does not look again.
 * - Reverse-path filtering would drop, on the loopback interface, what comes from a client's address. It is turned off
 *   there, and stays as strict as it was everywhere else.
 * @param earlier what a supervisor that was killed may have set: a setting that still has that value was what it was before
 *   that
 */
export const planSysctls = (earlier: Sysctls): Sysctls => {
  const changes = new Map<string, SysctlChange>();
  const original = (name: string): string => {
    const value = read(name);
    const change = earlier.get(name);
    return change?.set === value ? change.before : value;
  };
  const set = (name: string, value: string): void => {
    if (existsSync(`${NET}/${name}`)) changes.set(name, { before: original(name), set: value });
  };
  set("ip_local_port_range", `${LOCAL_PORTS.first} ${DIRECT_PORTS.last}`);
  set("ip_local_reserved_ports", [OUTBOUND_PORT, INBOUND_PORT, TUNNEL_PORT, DNS_PORT].join(","));
  set("tcp_tw_reuse", "1");
  set("tcp_early_demux", "0");
  const strictest = Number(original("conf/all/rp_filter"));
  if (strictest === 0) {
    set("conf/lo/rp_filter", "0");
    return changes;
  }
  for (const link of readdirSync(`${NET}/conf`).filter((name) => name !== "all")) {
    const own = Number(original(`conf/${link}/rp_filter`));
    set(`conf/${link}/rp_filter`, link === "lo" ? "0" : String(Math.max(own, strictest)));
  }
  set("conf/all/rp_filter", "0");
  return changes;
};

/**
 * Sets what was planned, inside the same namespace. All of it was read before the first is set: the kernel copies the default
 * of the path filter to every link that never had a value of its own.
 * @throws Error if one cannot be set; then the others are as they were
 */
export const applySysctls = (changes: Sysctls): void => {
  try {
    for (const [name, { set }] of changes) writeFileSync(`${NET}/${name}`, set);
  } catch (error) {
    restoreSysctls(changes);
    throw error;
  }
};

/**
 * Puts back what {@link planSysctls} found, inside the same namespace. What somebody else has set meanwhile stays, and a setting
 * that is gone is left out.
 */
export const restoreSysctls = (changes: Sysctls): void => {
  for (const [name, { before, set }] of [...changes].reverse()) {
    try {
      // With a line end: an empty value would not be written at all.
      if (read(name) === set) writeFileSync(`${NET}/${name}`, `${before}\n`);
    } catch {
      // The interface may be gone, and with it the setting.
    }
  }
};

/** Numbers of a list are parted by tabs when they are read, and by blanks when they are written. */
const read = (name: string): string => readFileSync(`${NET}/${name}`, "utf8").trim().replaceAll(/\s+/g, " ");
