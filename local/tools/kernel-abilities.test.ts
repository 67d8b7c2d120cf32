import { expect, test } from "vitest";
import { namespaceShortcoming } from "./kernel-abilities.ts";

const withSetting = (name: string, value: string) => (asked: string) => (asked === name ? value : undefined);

test.each([
  ["user.max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"],
  ["kernel.unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"],
  [
    "kernel.apparmor_restrict_unprivileged_userns",
    "1",
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
  ],
])("an ordinary user is told that %s is %s, and how to change it", (name, value, command) => {
  const { what, remedy } = namespaceShortcoming(false, "unshare failed", withSetting(name, value));
  expect(what).toContain(`${name} is ${value}`);
  expect(remedy).toContain(command);
});

test("a setting that allows namespaces is not blamed", () => {
  const { what, remedy } = namespaceShortcoming(
    false,
    "Operation not permitted",
    withSetting("user.max_user_namespaces", "15000"),
  );
  expect(what).toContain("Operation not permitted");
  expect(remedy).toContain("run it as root");
});

test("root that may not make namespaces is in a container", () => {
  expect(namespaceShortcoming(true, "Operation not permitted").remedy).toContain("--privileged");
});
