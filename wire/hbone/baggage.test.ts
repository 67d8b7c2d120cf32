import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatBaggage, parseBaggage, type WorkloadBaggage } from "./baggage.ts";

test("a workload is described in ztunnel's words, and what is not known is left out", () => {
  const baggage: WorkloadBaggage = {
    cluster: "Kubernetes",
    namespace: "shop",
    ownerKind: "deployment",
    ownerName: "web",
    service: "web",
    revision: "",
  };
  expect(formatBaggage(baggage)).toBe(
    "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.deployment.name=web,service.name=web",
  );
});

test.each<[string, WorkloadBaggage]>([
  ["k8s.namespace.name=shop, service.name = web ", { namespace: "shop", service: "web" }],
  ["service.name=web;property=1", { service: "web" }],
  ["unknown=1,service.name=web", { service: "web" }],
  ["service.name=", {}],
  ["service.name=%zz", {}],
  ["k8s.job.name=a%20b", { ownerKind: "job", ownerName: "a b" }],
  ["=x,,;,service.name", {}],
  [`service.name=${"x".repeat(5000)}`, {}],
])("%s", (header, baggage) => {
  expect(parseBaggage(header)).toEqual(baggage);
});

test("what is written is read again, whatever the names are", () => {
  const text = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" });
  const baggage = fc.record({
    cluster: text,
    namespace: text,
    service: text,
    revision: text,
    region: text,
    zone: text,
  });
  fc.assert(
    fc.property(baggage, (value) => {
      expect(parseBaggage(formatBaggage(value))).toEqual(value);
    }),
  );
});

test("no header makes the reader throw", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (header) => void parseBaggage(header)));
});
