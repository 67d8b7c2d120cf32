import { expect, test } from "vitest";
import { expandList } from "./expand-list.ts";

test("an object stands for itself", () => {
  expect(expandList({ kind: "Pod" })).toEqual([{ path: "", value: { kind: "Pod" } }]);
});

test("the items of a List are objects, each with its place", () => {
  expect(expandList({ kind: "List", apiVersion: "v1", items: [{ kind: "Pod" }, 7] })).toEqual([
    { path: "items[0]", value: { kind: "Pod" } },
    { path: "items[1]", value: 7 },
  ]);
});

test("the items of a list of one kind get its kind and version, as an API server leaves them out", () => {
  expect(expandList({ kind: "ServiceList", apiVersion: "v1", items: [{ spec: 1 }] })).toEqual([
    { path: "items[0]", value: { kind: "Service", apiVersion: "v1", spec: 1 } },
  ]);
});

test.each([[null], ["text"], [[1]], [{ kind: "AllowList" }], [{ kind: "List", items: {} }], [{ kind: 7, items: [] }]])(
  "%j is no list",
  (value) => {
    expect(expandList(value)).toEqual([{ path: "", value }]);
  },
);
