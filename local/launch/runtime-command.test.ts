import { expect, test } from "vitest";
import { runtimeCommand } from "./runtime-command.ts";

const text = (user: "root" | "mapped" | "single", attached: boolean): string =>
  runtimeCommand({ program: "/srv", user, attached }).join(" ");

const NAMESPACES = "--mount --propagation slave --net --pid --fork --kill-child --mount-proc sh /srv/local";

test("root needs no user namespace", () => {
  expect(text("root", true)).toContain(`setpriv --pdeathsig KILL unshare ${NAMESPACES}`);
});

test("an ordinary user becomes root of one, with all his user ids where he has some", () => {
  expect(text("mapped", true)).toContain(`unshare -Ur --map-auto ${NAMESPACES}`);
  expect(text("single", true)).toContain(`unshare -Ur ${NAMESPACES}`);
});

test("only a mesh in the foreground ends with the command that started it", () => {
  expect(text("root", false)).toMatch(/^unshare /);
});
