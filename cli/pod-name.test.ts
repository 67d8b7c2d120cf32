import { expect, test } from "vitest";
import { parsePodName } from "./pod-name.ts";

test("a pod is named by namespace and name", () => {
  expect(parsePodName("shop/web-0")).toEqual({ namespace: "shop", name: "web-0" });
  expect(parsePodName("shop/web.v1")).toEqual({ namespace: "shop", name: "web.v1" });
});

test.each(["web-0", "shop/", "/web-0", "shop/web/0", "Shop/web", "shop/..", ""])("%j names no pod", (text) => {
  expect(() => parsePodName(text)).toThrow("names no pod");
});
