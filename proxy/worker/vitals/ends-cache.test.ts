import { expect, test, vi } from "vitest";
import { exampleService, exampleWorkload, spiffe } from "#mesh/testing/examples.ts";
import { EndsCache } from "./ends-cache.ts";
import type { ConnectionEnds } from "./tcp-labels.ts";

const ENDS: ConnectionEnds = {
  reporter: "source",
  source: exampleWorkload({ name: "cart-1" }),
  destination: exampleWorkload(),
  service: exampleService(),
  sourcePrincipal: spiffe("spiffe://cluster.local/ns/shop/sa/cart"),
  destinationPrincipal: spiffe("spiffe://cluster.local/ns/shop/sa/web"),
  isMutualTls: true,
};

const caching = () => {
  const make = vi.fn<(ends: ConnectionEnds) => object>(() => ({}));
  return { cache: new EndsCache(make), make };
};

test("the same ends have the same value, also when they are said anew", () => {
  const { cache, make } = caching();
  const value = cache.get(ENDS);
  expect(cache.get({ ...ENDS, service: exampleService() })).toBe(value);
  expect(make).toHaveBeenCalledOnce();
});

test.each<[string, Partial<ConnectionEnds>]>([
  ["reporter", { reporter: "destination" }],
  ["source", { source: undefined }],
  ["destination", { destination: exampleWorkload({ name: "web-1" }) }],
  ["record of the source, replaced by one with the same name", { source: exampleWorkload({ name: "cart-1" }) }],
  ["direction", { source: ENDS.destination, destination: ENDS.source }],
  ["service", { service: undefined }],
  ["service's host", { service: exampleService({ hostname: "web.other" }) }],
  ["service's namespace", { service: exampleService({ namespace: "other" }) }],
  ["service's name", { service: exampleService({ name: "other" }) }],
  ["source's principal", { sourcePrincipal: undefined }],
  ["destination's principal", { destinationPrincipal: undefined }],
  ["protection", { isMutualTls: false }],
])("ends that differ in the %s have values of their own, and are found again", (_, changes) => {
  const { cache, make } = caching();
  const [value, other] = [cache.get(ENDS), cache.get({ ...ENDS, ...changes })];
  expect(other).not.toBe(value);
  expect([cache.get(ENDS), cache.get({ ...ENDS, ...changes })]).toEqual([value, other]);
  expect(make).toHaveBeenCalledTimes(2);
});

test("what is asked with may change afterwards", () => {
  const { cache, make } = caching();
  const ends = { ...ENDS };
  const value = cache.get(ends);
  ends.isMutualTls = false;
  expect(cache.get(ENDS)).toBe(value);
  expect(make.mock.calls[0]?.[0]).toEqual(ENDS);
});

test("it keeps a limited number of ends, and begins anew then", () => {
  const { cache, make } = caching();
  const value = cache.get(ENDS);
  for (let other = 0; other < 4_095; other++) cache.get({ ...ENDS, destination: exampleWorkload() });
  expect(cache.get(ENDS)).toBe(value);
  cache.get({ ...ENDS, destination: exampleWorkload() });
  expect(cache.get(ENDS)).not.toBe(value);
  const made = make.mock.calls.length;
  for (let other = 0; other < 4_000; other++) cache.get({ ...ENDS, destination: exampleWorkload() });
  cache.get(ENDS);
  expect(make).toHaveBeenCalledTimes(made + 4_000);
});
