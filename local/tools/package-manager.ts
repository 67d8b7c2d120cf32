import { readFileSync } from "node:fs";
import { findProgram } from "../processes/search-path.ts";

/** How packages are installed on a distribution. */
export interface PackageManager {
  readonly program: string;
  readonly install: readonly string[];
  /** What the packages are called that have another name than in Debian. */
  readonly names: Readonly<Record<string, string>>;
}

export const APT: PackageManager = { program: "apt-get", install: ["apt-get", "install", "-y"], names: {} };

/** What the tests need is called differently elsewhere: others have in one package what Debian has in two. */
const FOR_TESTS = { "nghttp2-client": "nghttp2", "nghttp2-server": "nghttp2", faketime: "libfaketime" } as const;

const PACKAGE_MANAGERS: readonly PackageManager[] = [
  APT,
  {
    program: "dnf",
    install: ["dnf", "install", "-y"],
    names: { iproute2: "iproute", uidmap: "shadow-utils", mount: "util-linux", ...FOR_TESTS },
  },
  {
    program: "zypper",
    install: ["zypper", "install", "-y"],
    names: { uidmap: "shadow", mount: "util-linux", ...FOR_TESTS },
  },
  {
    program: "pacman",
    install: ["pacman", "-S", "--noconfirm"],
    names: { uidmap: "shadow", mount: "util-linux", hostname: "inetutils", ...FOR_TESTS, python3: "python" },
  },
  {
    program: "apk",
    install: ["apk", "add"],
    names: { uidmap: "shadow-uidmap", mount: "util-linux", hostname: "busybox", ...FOR_TESTS },
  },
];

/** The package manager of this machine. */
export const packageManager = (path: string): PackageManager | undefined =>
  PACKAGE_MANAGERS.find(({ program }) => findProgram(program, path) !== undefined);

/** The command that installs packages. */
export const installCommand = (
  manager: PackageManager,
  packages: readonly string[],
): readonly [string, ...string[]] => {
  const names = [...new Set(packages.map((name) => manager.names[name] ?? name))];
  return [...manager.install, ...names] as [string, ...string[]];
};

/** How somebody gets packages on this machine, in words. */
export const installAdvice = (
  manager: PackageManager | undefined,
  packages: readonly string[],
  isRoot: boolean,
): string => {
  if (manager === undefined)
    return `install ${packages.join(" ")} (Debian's names) with this machine's package manager`;
  return `${isRoot ? "" : "sudo "}${installCommand(manager, packages).join(" ")}`;
};

/** Whether this is Debian or made from it. */
export const isDebian = (): boolean => {
  try {
    return /^ID(?:_LIKE)?=.*\bdebian\b/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
};
