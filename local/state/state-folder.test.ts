import { expect, test } from "vitest";
import { parseMeshName, stateFolder, stateRoot } from "./state-folder.ts";

test.each([
  [0, { HOME: "/root", XDG_STATE_HOME: "/elsewhere" }, "/var/lib/heddle"],
  [1000, { HOME: "/home/me" }, "/home/me/.local/state/heddle"],
  [1000, { HOME: "/home/me", XDG_STATE_HOME: "/state" }, "/state/heddle"],
  [1000, { HOME: "/home/me", XDG_STATE_HOME: "" }, "/home/me/.local/state/heddle"],
])("user %i with %j keeps state in %s", (uid, environment, root) => {
  expect(stateRoot(environment, uid)).toBe(root);
});

test("a socket whose path the kernel would not take is refused before it is tried", () => {
  const longest = `/${"s".repeat(107 - "//blue/heddle.sock".length)}`;
  expect(stateFolder(longest, "blue").ok).toBe(true);
  const refused = stateFolder(`${longest}s`, "blue");
  expect(refused.ok ? "" : refused.error).toMatch(/107 bytes .* choose a shorter --name or XDG_STATE_HOME/);
});

test.each(["blue", "a", "mesh-2", "a".repeat(40)])("%s can name a mesh", (name) => {
  expect(parseMeshName(name).ok).toBe(true);
});

test.each(["", "-a", "a-", "A", "a.b", "../a", "a/b", "a".repeat(41)])("%j cannot name a mesh", (name) => {
  expect(parseMeshName(name).ok).toBe(false);
});
