import { expect, test } from "vitest";
import { grpcRoute, httpRoute } from "#mesh/testing/routes.ts";
import { grpcMatchText, httpMatchText } from "./match-text.ts";

test.each([
  [{}, "all"],
  [{ path: { type: "PathPrefix", value: "/" } }, "all"],
  [{ path: { type: "PathPrefix", value: "/cart" } }, "/cart/*"],
  [{ path: { type: "PathPrefix", value: "/cart/" } }, "/cart/*"],
  [{ path: { type: "Exact", value: "/cart" } }, "/cart"],
  [{ path: { type: "RegularExpression", value: "/c.*" } }, "~/c.*"],
  [{ method: "POST" }, "POST"],
  [
    {
      path: { type: "Exact", value: "/" },
      method: "GET",
      headers: [{ name: "X-User", value: "beta" }],
      queryParams: [{ type: "RegularExpression", name: "v", value: "[0-9]" }],
    },
    "GET / x-user=beta ?v~[0-9]",
  ],
])("%j is %s in short", (match, text) => {
  const [rule] = httpRoute({ rules: [{ matches: [match] }] }).rules;
  expect(rule?.matches.map(httpMatchText)).toEqual([text]);
});

test.each([
  [{}, "all"],
  [{ method: { service: "a.B" } }, "a.B/*"],
  [{ method: { method: "C" } }, "*/C"],
  [{ method: { type: "RegularExpression", service: "a.*", method: "C" } }, "~a.*/~C"],
  [{ headers: [{ name: "x", value: "y" }] }, "x=y"],
])("of gRPC %j is %s in short", (match, text) => {
  const [rule] = grpcRoute({ rules: [{ matches: [match] }] }).rules;
  expect(rule?.matches.map(grpcMatchText)).toEqual([text]);
});
