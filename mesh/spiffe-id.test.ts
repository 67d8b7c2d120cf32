import { expect, test } from "vitest";
import { unwrap } from "./result.ts";
import { identityOf, parseSpiffeId, parseTrustDomain, spiffeIdOf, trustDomainOf } from "./spiffe-id.ts";

test.each(["spiffe://cluster.local/ns/shop/sa/web", "spiffe://a-b_c.d/ns/N.1_x/sa/A-b"])(
  "%s is an identity",
  (text) => {
    expect(parseSpiffeId(text)).toEqual({ ok: true, value: text });
    const identity = identityOf(unwrap(parseSpiffeId(text)));
    expect(spiffeIdOf(identity)).toBe(text);
    expect(trustDomainOf(unwrap(parseSpiffeId(text)))).toBe(identity.trustDomain);
  },
);

// T-04 and SPIFFE ID section 2.
test.each([
  ["another scheme", "https://cluster.local/ns/shop/sa/web"],
  ["an upper-case scheme", "SPIFFE://cluster.local/ns/shop/sa/web"],
  ["an upper-case trust domain", "spiffe://Cluster.local/ns/shop/sa/web"],
  ["an empty trust domain", "spiffe:///ns/shop/sa/web"],
  ["a port", "spiffe://cluster.local:80/ns/shop/sa/web"],
  ["a user", "spiffe://me@cluster.local/ns/shop/sa/web"],
  ["a query", "spiffe://cluster.local/ns/shop/sa/web?x=1"],
  ["a fragment", "spiffe://cluster.local/ns/shop/sa/web#x"],
  ["percent-encoding", "spiffe://cluster.local/ns/shop/sa/w%65b"],
  ["a dot segment", "spiffe://cluster.local/ns/../sa/web"],
  ["an empty segment", "spiffe://cluster.local/ns//sa/web"],
  ["a slash at the end", "spiffe://cluster.local/ns/shop/sa/web/"],
  ["no path", "spiffe://cluster.local"],
  ["another form", "spiffe://cluster.local/shop/web"],
  ["more segments", "spiffe://cluster.local/ns/shop/sa/web/x"],
  ["swapped words", "spiffe://cluster.local/sa/shop/ns/web"],
  ["a line end", "spiffe://cluster.local/ns/shop/sa/web\n"],
  ["more than 2048 bytes", `spiffe://cluster.local/ns/shop/sa/${"a".repeat(2048)}`],
  ["a trust domain of 256 bytes", `spiffe://${"a".repeat(256)}/ns/shop/sa/web`],
])("T-04: an ID with %s is refused", (_, text) => {
  expect(parseSpiffeId(text).ok).toBe(false);
});

test("what cannot be an identity is not made into one", () => {
  const trustDomain = unwrap(parseTrustDomain("cluster.local"));
  expect(() => spiffeIdOf({ trustDomain, namespace: "shop/sa/root", serviceAccount: "web" })).toThrow();
});
