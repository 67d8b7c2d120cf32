import { ok, type Result } from "#mesh/result.ts";
import { runCommand } from "../processes/run-command.ts";
import { namespacePath } from "./namespace-path.ts";

/** Settings below /proc/sys/net by name, as in `ipv4/ip_forward`. */
export type KernelSettings = Readonly<Record<string, string>>;

/**
 * Of a namespace that passes packets on. Reverse path filtering is off because it would drop what the mesh sends from a
 * client's own address; systemd switches it on for new devices.
 */
export const FORWARDING_SETTINGS: KernelSettings = {
  "ipv4/ip_forward": "1",
  "ipv4/conf/all/rp_filter": "0",
  "ipv4/conf/default/rp_filter": "0",
  "ipv4/conf/all/send_redirects": "0",
  "ipv4/conf/default/send_redirects": "0",
  "ipv6/conf/all/disable_ipv6": "0",
  "ipv6/conf/default/disable_ipv6": "0",
  "ipv6/conf/all/forwarding": "1",
  "ipv6/conf/default/accept_dad": "0",
};

/** Of a pod's namespace, before its device is there. */
export const POD_SETTINGS: KernelSettings = {
  "ipv4/conf/all/rp_filter": "0",
  "ipv4/conf/default/rp_filter": "0",
  "ipv6/conf/all/disable_ipv6": "0",
  "ipv6/conf/default/disable_ipv6": "0",
  "ipv6/conf/default/accept_dad": "0",
  "ipv6/conf/default/accept_ra": "0",
};

/** Writes settings in a network namespace. Those of a family that the kernel lacks are left out. */
export const applyKernelSettings = async (
  namespace: string,
  settings: KernelSettings,
): Promise<Result<void, string>> => {
  const result = await runCommand([
    "nsenter",
    `--net=${namespacePath(namespace)}`,
    "sh",
    "-c",
    settingsScript(settings),
  ]);
  return result.ok ? ok(undefined) : result;
};

/** A shell script that writes the settings, and fails with the first that cannot be written. */
export const settingsScript = (settings: KernelSettings): string =>
  [
    "set -e",
    ...Object.entries(settings).map(([name, value]) => {
      const file = `/proc/sys/net/${name}`;
      return `[ ! -e ${file} ] || echo ${value} > ${file}`;
    }),
  ].join("\n");
