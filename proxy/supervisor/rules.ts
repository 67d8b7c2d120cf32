import { PROXY_MARK } from "../kernel/pod-sockets.ts";

/** Ports of the proxy in every pod; the same numbers as in mesh/ports.ts, which the supervisor does not load. */
export const OUTBOUND_PORT = 15001;
export const INBOUND_PORT = 15006;
export const TUNNEL_PORT = 15008;

/** Name of the nft table, and routing table and preference of the way back for connections from a client's address. */
export const TABLE = "heddle";
const RETURN_TABLE = 100;
const RETURN_PREFERENCE = 32_764;

/** The marks share their words with others: only these bits are ours. */
const MARK_MASK = "0xfff";
const KEEP_MASK = "0xfffff000";
const PROXY = `0x${PROXY_MARK.toString(16)}`;
/** On connections that the proxy opened to the application from a client's address. */
const RETURN = "0x111";

/**
 * The rules in a pod's network namespace, for both families, as input for `nft -f -`: one transaction that replaces what was
 * there.
 *
 * - A packet of the proxy that arrives in the pod again went over its loopback: it belongs to a connection to the
 *   application from a client's address. Its connection is marked, and what answers it is routed back to the proxy.
 * - Only new connections are redirected. Loading a nat chain makes connection tracking see the middle of older ones as new,
 *   and they would be reset; they stay as they are until they end.
 * - Once redirected, two connections of one caller from the same port to two ports of the pod look alike. The kernel gives the
 *   second another port where a nat chain hooks into input, although it has no rule; without that it swallows it.
 * - Loopback and the pod's own address are none of our business, the tunnel port is answered by the proxy itself.
 *
 * @param probeAddresses sources whose connections go straight to the application: the kubelet's, if the enroller named any
 */
export const captureRules = (probeAddresses: readonly string[]): string => {
  const probes = [
    ["ip", probeAddresses.filter((address) => !address.includes(":"))],
    ["ip6", probeAddresses.filter((address) => address.includes(":"))],
  ] as const;
  const probeRules = probes
    .filter(([, addresses]) => addresses.length > 0)
    .map(([family, addresses]) => `    ${family} saddr { ${addresses.join(", ")} } accept\n`);
  return `table inet ${TABLE}
delete table inet ${TABLE}
table inet ${TABLE} {
  chain mangle_prerouting {
    type filter hook prerouting priority -150; policy accept;
    meta mark & ${MARK_MASK} == ${PROXY} ct mark set ct mark & ${KEEP_MASK} | ${RETURN}
  }
  chain mangle_output {
    type route hook output priority -150; policy accept;
    ct mark & ${MARK_MASK} == ${RETURN} meta mark set meta mark & ${KEEP_MASK} | ${RETURN}
  }
  chain nat_prerouting {
    type nat hook prerouting priority -100; policy accept;
    tcp flags & (fin | syn | rst | ack) != syn accept
    iifname "lo" accept
${probeRules.join("")}    tcp dport ${TUNNEL_PORT} accept
    meta l4proto tcp redirect to :${INBOUND_PORT}
  }
  chain nat_input {
    type nat hook input priority 100; policy accept;
  }
  chain nat_output {
    type nat hook output priority -100; policy accept;
    tcp flags & (fin | syn | rst | ack) != syn accept
    meta mark & ${MARK_MASK} == ${PROXY} accept
    meta mark & ${MARK_MASK} == ${RETURN} accept
    oifname "lo" accept
    meta l4proto tcp redirect to :${OUTBOUND_PORT}
  }
}
`;
};

/** Takes the rules away again. */
export const RELEASE_RULES = `table inet ${TABLE}\ndelete table inet ${TABLE}\n`;

/** One family's policy routing: what carries the return mark is local, whatever its address. Input for `ip -batch -`. */
export const returnRoute = (action: "add" | "del", family: 4 | 6): string => {
  const everywhere = family === 4 ? "0.0.0.0/0" : "::/0";
  return [
    `rule ${action} fwmark ${RETURN}/${MARK_MASK} lookup ${RETURN_TABLE} pref ${RETURN_PREFERENCE}`,
    `route ${action} local ${everywhere} dev lo table ${RETURN_TABLE}`,
    "",
  ].join("\n");
};
