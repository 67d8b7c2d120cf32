import { expect, test } from "vitest";
import { formatForwarded, forwardedHost } from "./forwarded.ts";

test("the client's address is quoted, the host follows where a service was called", () => {
  expect(formatForwarded({ client: "10.0.0.1:1234", host: undefined })).toBe('for="10.0.0.1:1234"');
  expect(formatForwarded({ client: "[fd00::1]:1", host: "web.shop.svc" })).toBe('for="[fd00::1]:1";host=web.shop.svc');
});

test.each([
  ['for="10.0.0.1:1";host=web.shop.svc', "web.shop.svc"],
  ['for=x; HOST="web.shop.svc"', "web.shop.svc"],
  ['for="10.0.0.1:1"', undefined],
  ["host=", undefined],
  ['host=""', undefined],
  ["host=wéb", undefined],
  ["host=a b", undefined],
  [`host=${"a".repeat(2000)}`, undefined],
])("the host of %s is %s", (header, host) => {
  expect(forwardedHost(header)).toBe(host);
});
