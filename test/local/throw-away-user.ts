import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { onTestFinished } from "vitest";
import { findProgram } from "#local/processes/search-path.ts";
import type { TestUser } from "./test-mesh.ts";

const PROGRAM = dirname(dirname(import.meta.dirname));

/** Whether ordinary users can be made here, and could read the project. */
export const canMakeUsers = (): boolean =>
  process.getuid?.() === 0 &&
  ["useradd", "userdel", "setpriv", "newuidmap"].every(
    (name) => findProgram(name, "/usr/sbin:/usr/bin") !== undefined,
  ) &&
  succeeds("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "test", "-r", `${PROGRAM}/package.json`);

/**
 * A user who is gone after the test, with everything that is his.
 * @param hasSubordinateIds whether more user ids are set aside for him
 */
export const throwAwayUser = (hasSubordinateIds: boolean): TestUser => {
  const name = `heddle-${randomBytes(4).toString("hex")}`;
  const home = `/var/tmp/${name}`;
  run("useradd", "--create-home", "--home-dir", home, "--shell", "/bin/sh", name);
  onTestFinished(() => {
    run("userdel", "--force", name);
    rmSync(home, { recursive: true, force: true });
  });
  const ids = "200000-265535";
  // Some machines set ids aside for every new user.
  succeeds("sed", "-i", `/^${name}:/d`, "/etc/subuid", "/etc/subgid");
  if (hasSubordinateIds) run("usermod", "--add-subuids", ids, "--add-subgids", ids, name);
  return { uid: Number(run("id", "-u", name)), home, program: PROGRAM };
};

/** Runs a program as somebody else. @throws Error with what it complained of */
export const runAs = (user: TestUser, ...command: readonly string[]): string =>
  run("setpriv", `--reuid=${user.uid}`, `--regid=${user.uid}`, "--clear-groups", ...command);

const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

const succeeds = (program: string, ...args: readonly string[]): boolean => {
  try {
    run(program, ...args);
    return true;
  } catch {
    return false;
  }
};
