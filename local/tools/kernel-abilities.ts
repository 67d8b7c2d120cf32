import { readFileSync } from "node:fs";
import type { Result } from "#mesh/result.ts";
import { type Command, runCommand } from "../processes/run-command.ts";

/** Something that is missing, and the way to get it. */
export interface Shortcoming {
  readonly what: string;
  readonly remedy: string;
}

/** Whether an ordinary user's mesh has one user id or many. */
export type UserMapping = { readonly kind: "full" } | { readonly kind: "reduced"; readonly reason: string };

const NFT_PROBE =
  "table inet probe { chain out { type nat hook output priority -100; tcp dport 1 redirect to :2\n}\n}\n";

/** What the kernel, as it is set up, does not let this user do. Each thing is simply tried. */
export const kernelShortcomings = async (isRoot: boolean): Promise<readonly Shortcoming[]> => {
  const user = isRoot ? [] : ["-Ur"];
  const inNamespaces: Command = ["unshare", ...user, "--mount", "--net", "--pid", "--fork", "--mount-proc"];
  const plain = await runCommand([...inNamespaces, "true"]);
  if (!plain.ok) return [namespaceShortcoming(isRoot, plain.error)];
  const veth = await runCommand([...inNamespaces, "ip", "link", "add", "probe0", "type", "veth"]);
  const bridge = await runCommand([...inNamespaces, "ip", "link", "add", "probe0", "type", "bridge"]);
  const nat = await runCommand([...inNamespaces, "nft", "-f", "-"], { input: NFT_PROBE });
  return [
    ...unless(veth, "the kernel makes no veth devices", "modprobe veth"),
    ...unless(bridge, "the kernel makes no bridges", "modprobe bridge"),
    ...unless(nat, "the kernel does not translate addresses with nftables", "modprobe nft_chain_nat nft_redir"),
  ];
};

/** How many user ids an ordinary user's mesh can have. */
export const userMapping = async (): Promise<UserMapping> => {
  const mapped = await runCommand(["unshare", "-Ur", "--map-auto", "true"]);
  return mapped.ok ? { kind: "full" } : { kind: "reduced", reason: mappingProblem(mapped.error) };
};

/** Why namespaces cannot be made, from what is known to forbid them. */
export const namespaceShortcoming = (
  isRoot: boolean,
  error: string,
  setting: (name: string) => string | undefined = readSetting,
): Shortcoming => {
  if (isRoot) {
    return {
      what: `root may not make namespaces here: ${error}`,
      remedy: "in a container, start it with --privileged (or with CAP_SYS_ADMIN, CAP_NET_ADMIN and no seccomp filter)",
    };
  }
  const cause = FORBIDDING_SETTINGS.find(({ name, value }) => setting(name) === value);
  if (cause === undefined) {
    return {
      what: `an ordinary user may not make user namespaces here: ${error}`,
      remedy: "run it as root; in a container, start the container with --security-opt seccomp=unconfined",
    };
  }
  return {
    what: `an ordinary user may not make user namespaces here: ${cause.name} is ${cause.value}`,
    remedy: `sudo sysctl -w ${cause.name}=${cause.better} (until the next boot), or run it as root`,
  };
};

const FORBIDDING_SETTINGS = [
  { name: "user.max_user_namespaces", value: "0", better: "15000" },
  { name: "kernel.unprivileged_userns_clone", value: "0", better: "1" },
  { name: "kernel.apparmor_restrict_unprivileged_userns", value: "1", better: "0" },
];

/** Why there is only one user id, from what unshare(1) complained of. */
const mappingProblem = (error: string): string => {
  if (/unrecognized option/.test(error)) return "unshare cannot map user ids; util-linux 2.38 or newer can";
  if (/newuidmap|newgidmap/.test(error) && /No such file|failed to execute/.test(error)) {
    return "newuidmap is missing; it is in the package uidmap";
  }
  return `no user ids are set aside for this user in /etc/subuid and /etc/subgid (${error})`;
};

const unless = (result: Result<string, string>, what: string, load: string): readonly Shortcoming[] =>
  result.ok ? [] : [{ what: `${what}: ${result.error}`, remedy: `sudo ${load}, or use a kernel that has it` }];

const readSetting = (name: string): string | undefined => {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "utf8").trim();
  } catch {
    return undefined;
  }
};
