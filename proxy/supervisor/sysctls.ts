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
 */
export const prepareSysctls = (): Sysctls => {
  const before = new Map<string, string>();
  const set = (name: string, value: string): void => {
    const path = `${NET}/${name}`;
    if (!existsSync(path)) return;
    before.set(name, readFileSync(path, "utf8").trim());
    writeFileSync(path, value);
  };
  set("ip_local_port_range", `${LOCAL_PORTS.first} ${DIRECT_PORTS.last}`);
  set("ip_local_reserved_ports", [OUTBOUND_PORT, INBOUND_PORT, TUNNEL_PORT, DNS_PORT].join(","));
  set("tcp_tw_reuse", "1");
  const strictest = Number(readFileSync(`${NET}/conf/all/rp_filter`, "utf8"));
  if (strictest === 0) {
    set("conf/lo/rp_filter", "0");
    return before;
  }
  for (const link of readdirSync(`${NET}/conf`).filter((name) => name !== "all")) {
    const own = Number(readFileSync(`${NET}/conf/${link}/rp_filter`, "utf8"));
    set(`conf/${link}/rp_filter`, link === "lo" ? "0" : String(Math.max(own, strictest)));
  }
  set("conf/all/rp_filter", "0");
  return before;
};

/** Puts back what {@link prepareSysctls} found, inside the same namespace. A setting that is gone meanwhile is left out. */
export const restoreSysctls = (before: Sysctls): void => {
  for (const [name, value] of [...before].reverse()) {
    try {
      writeFileSync(`${NET}/${name}`, value);
    } catch {
      // The interface may be gone, and with it the setting.
    }
  }
};
