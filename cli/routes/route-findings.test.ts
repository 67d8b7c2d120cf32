import { expect, test } from "vitest";
import type { ObjectStatus, RouteCondition } from "#mesh/admin/control-plane-status.ts";
import { isAboutService, routeFindings } from "./route-findings.ts";

const condition = (type: RouteCondition["type"], status: "True" | "False", reason: string): RouteCondition => ({
  type,
  status,
  reason,
  message: "so it is",
  observedGeneration: 1,
});

const route = (conditions: readonly RouteCondition[], changes: Partial<ObjectStatus> = {}): ObjectStatus => ({
  kind: "HTTPRoute",
  namespace: "shop",
  name: "split",
  source: "routes.yaml#2",
  accepted: true,
  serving: true,
  problems: [],
  warnings: [],
  parents: [
    {
      parentRef: { group: "", kind: "Service", namespace: undefined, name: "web", sectionName: undefined, port: 80 },
      controllerName: "heddle.dev/mesh-controller",
      conditions,
    },
  ],
  ...changes,
});

test.each<[ObjectStatus, readonly string[]]>([
  [route([condition("Accepted", "True", "Accepted"), condition("ResolvedRefs", "True", "ResolvedRefs")]), []],
  [
    route([condition("Accepted", "False", "Conflicted"), condition("ResolvedRefs", "False", "BackendNotFound")]),
    [
      "Accepted=False (Conflicted) at Service shop/web:80: so it is",
      "ResolvedRefs=False (BackendNotFound) at Service shop/web:80: so it is",
    ],
  ],
  [
    route([condition("Accepted", "True", "Accepted"), condition("PartiallyInvalid", "True", "UnsupportedValue")]),
    ["PartiallyInvalid=True (UnsupportedValue) at Service shop/web:80: so it is"],
  ],
  [
    route([], { accepted: false, problems: [{ path: "spec.rules[0]", message: "is none" }] }),
    ["is refused, and its last good version stays in force: spec.rules[0]: is none"],
  ],
])("%#: conditions that are not good are said", (object, texts) => {
  const findings = routeFindings([object]);
  expect(findings.map(({ text }) => text)).toEqual(texts);
  for (const { about } of findings) expect(about).toBe("HTTPRoute shop/split (routes.yaml#2)");
});

test("a route is about the Services that it names as parents", () => {
  expect([isAboutService(route([]), "shop", "web"), isAboutService(route([]), "other", "web")]).toEqual([true, false]);
});
