import { expect, test } from "vitest";
import { Rejection } from "./rejection.ts";

const NAMES = new Set(["shop/web", "shop/web-2", "fd00::1"]);

const suspectsAfter = (reason: string) => {
  const rejection = new Rejection();
  rejection.add(NAMES, reason);
  return [...NAMES].filter((name) => rejection.has(name));
};

test.each([
  ["shop/web: no such protocol", ["shop/web"]],
  ["shop/web-2: bad; fd00::1: bad too", ["shop/web-2", "fd00::1"]],
  ['the resource "shop/web" is bad', ["shop/web"]],
  ["workshop/web: bad; 2fd00::1: bad", ["shop/web", "shop/web-2", "fd00::1"]],
  ["something about shop/website", ["shop/web", "shop/web-2", "fd00::1"]],
  ["", ["shop/web", "shop/web-2", "fd00::1"]],
])("a refusal %j suspects %j", (reason, suspects) => {
  expect(suspectsAfter(reason)).toEqual(suspects);
});

test("the reason is kept, and cut where it has no end", () => {
  const rejection = new Rejection();
  rejection.add(NAMES, "");
  expect(rejection.reason).toBe("no reason given");
  rejection.add(NAMES, "x".repeat(100_000));
  expect(rejection.reason?.length).toBe(4_096);
});
