import { spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { closeNetworkNamespace, type NetworkNamespace, openNetworkNamespace } from "../kernel/network-namespace.ts";
import { runInNamespace } from "../supervisor/namespace-command.ts";

/** For tests: whether this process may make namespaces and enter them. */
export const mayUseNamespaces = process.getuid?.() === 0;

/** A network that leads nowhere: everything can be dialled and nothing answers. */
const NETWORK = [
  "ip link set lo up",
  "ip link add far0 type veth peer name far1",
  "ip addr add 10.9.0.1/16 dev far0",
  "ip -6 addr add fd99::1/64 dev far0 nodad",
  "ip link set far0 up",
  "ip link set far1 up",
  "echo ready",
  "exec sleep infinity",
];

/** For tests: a network namespace with a path to it. It is gone with the test, and with the process that runs it. */
export const testNamespace = async (): Promise<NetworkNamespace & { readonly path: string }> => {
  const holder = spawn("setpriv", ["--pdeathsig", "KILL", "unshare", "--net", "sh", "-ec", NETWORK.join("; ")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  const path = `/proc/${holder.pid}/ns/net`;
  const namespace = openNetworkNamespace(path);
  onTestFinished(() => closeNetworkNamespace(namespace));
  return { ...namespace, path };
};

/** For tests: what a command in a namespace writes. */
export const outputOf = (namespace: NetworkNamespace, command: string): Promise<string> =>
  runInNamespace(namespace, "sh", ["-ec", command], "");

/** For tests: the state of a namespace that capturing a pod changes, as text to be compared. */
export const captureStateOf = (namespace: NetworkNamespace): Promise<string> =>
  outputOf(
    namespace,
    `nft list ruleset
    for family in -4 -6; do ip $family rule show; ip $family route show table 100 2>/dev/null || true; done
    cd /proc/sys/net/ipv4
    grep -H . ip_local_port_range ip_local_reserved_ports tcp_tw_reuse conf/*/rp_filter || true
    ss -tlnH`,
  );
