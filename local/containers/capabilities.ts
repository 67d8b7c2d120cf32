import { err, ok, type Result } from "#mesh/result.ts";

/**
 * What a container's root may do by default: what container engines allow, without what a machine that is shared with its
 * owner must not give away. NET_RAW and NET_ADMIN could leave the mesh; DAC_OVERRIDE, MKNOD and SETFCAP act on the
 * machine's real files.
 */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  "AUDIT_WRITE",
  "CHOWN",
  "FOWNER",
  "FSETID",
  "KILL",
  "NET_BIND_SERVICE",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
];

/** Every capability there is (capabilities(7)). */
const ALL_CAPABILITIES: readonly string[] = [
  ...DEFAULT_CAPABILITIES,
  "AUDIT_CONTROL",
  "AUDIT_READ",
  "BLOCK_SUSPEND",
  "BPF",
  "CHECKPOINT_RESTORE",
  "DAC_OVERRIDE",
  "DAC_READ_SEARCH",
  "IPC_LOCK",
  "IPC_OWNER",
  "LEASE",
  "LINUX_IMMUTABLE",
  "MAC_ADMIN",
  "MAC_OVERRIDE",
  "MKNOD",
  "NET_ADMIN",
  "NET_BROADCAST",
  "NET_RAW",
  "PERFMON",
  "SETFCAP",
  "SYSLOG",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_MODULE",
  "SYS_NICE",
  "SYS_PACCT",
  "SYS_PTRACE",
  "SYS_RAWIO",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "WAKE_ALARM",
];

/**
 * The capabilities of a container, from its securityContext.capabilities. As in Kubernetes, `drop: [ALL]` leaves only what
 * is added, and `add: [ALL]` takes everything but what is dropped by name.
 * @returns names without `CAP_`, sorted; or the name that is no capability.
 */
export const containerCapabilities = (
  add: readonly string[],
  drop: readonly string[],
): Result<readonly string[], string> => {
  const added = add.map(plainName);
  const dropped = drop.map(plainName);
  const unknown = [...added, ...dropped].find((name) => name !== "ALL" && !ALL_CAPABILITIES.includes(name));
  if (unknown !== undefined) return err(`${JSON.stringify(unknown)} is no capability; write it as in NET_BIND_SERVICE`);
  const named = added.filter((name) => name !== "ALL");
  if (dropped.includes("ALL")) return ok(sorted(named));
  const base = added.includes("ALL") ? ALL_CAPABILITIES : DEFAULT_CAPABILITIES;
  return ok(sorted([...base.filter((name) => !dropped.includes(name)), ...named]));
};

/** The arguments of setpriv(1) that leave a process, and everything it starts, these capabilities at most. */
export const boundingArguments = (capabilities: readonly string[]): readonly string[] => [
  `--bounding-set=${["-all", ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(",")}`,
  "--inh-caps=-all",
];

const plainName = (name: string): string => name.toUpperCase().replace(/^CAP_/, "");

const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].sort();
