import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { installAdvice, packageManager } from "./package-manager.ts";
import { missingPrograms, REQUIRED_PROGRAMS } from "./required-programs.ts";

const machineWith = (...programs: readonly string[]): string => {
  const folder = temporaryFolder();
  for (const program of programs) {
    writeFileSync(join(folder, program), "");
    chmodSync(join(folder, program), 0o755);
  }
  return folder;
};

test.each([
  ["apt-get", "sudo apt-get install -y iproute2 nftables"],
  ["dnf", "sudo dnf install -y iproute nftables"],
  ["pacman", "sudo pacman -S --noconfirm iproute2 nftables"],
])("with %s the way to get what is missing is: %s", (program, advice) => {
  expect(installAdvice(packageManager(machineWith(program)), ["iproute2", "nftables"], false)).toBe(advice);
});

test("root needs no sudo, and no package is named twice", () => {
  expect(installAdvice(packageManager(machineWith("dnf")), ["util-linux", "mount"], true)).toBe(
    "dnf install -y util-linux",
  );
});

test("a machine whose package manager nobody knows gets the names at least", () => {
  expect(installAdvice(packageManager(machineWith()), ["nftables"], false)).toContain("install nftables");
});

test("the programs that are missing are found out", () => {
  const path = machineWith(...REQUIRED_PROGRAMS.map(({ name }) => name).filter((name) => name !== "nft"));
  expect(missingPrograms(REQUIRED_PROGRAMS, path).map(({ name }) => name)).toEqual(["nft"]);
});
