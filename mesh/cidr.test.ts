import * as fc from "fast-check";
import { expect, test } from "vitest";
import { cidr, cidrContains, formatCidr, parseCidr } from "./cidr.ts";
import { ipAddressFromBytes, parseIpAddress } from "./ip-address.ts";
import { unwrap } from "./result.ts";

test.each([
  ["10.1.2.3/8", "10.0.0.0/8"],
  ["10.1.2.3", "10.1.2.3/32"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["fd00:10::1/17", "fd00::/17"],
  ["::1", "::1/128"],
])("%s is the range %s", (text, range) => {
  expect(formatCidr(unwrap(parseCidr(text)))).toBe(range);
});

test.each(["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0.0/-1", "x/8"])(
  "%j is no range",
  (text) => {
    expect(parseCidr(text).ok).toBe(false);
  },
);

test.each([
  ["10.0.0.0/8", "10.255.255.255", true],
  ["10.0.0.0/8", "11.0.0.0", false],
  ["10.0.0.128/25", "10.0.0.127", false],
  ["10.0.0.128/25", "10.0.0.128", true],
  ["fd00::/8", "fdff::1", true],
  ["::/0", "10.0.0.1", false],
  ["0.0.0.0/0", "::1", false],
])("%s contains %s: %s", (range, address, contains) => {
  expect(cidrContains(unwrap(parseCidr(range)), unwrap(parseIpAddress(address)))).toBe(contains);
});

test("a range around an address contains it, and its text parses back", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  fc.assert(
    fc.property(bytes, fc.nat(128), (value, length) => {
      const address = unwrap(ipAddressFromBytes(value));
      const range = cidr(address, Math.min(length, address.includes(":") ? 128 : 32));
      expect(cidrContains(unwrap(range), address)).toBe(true);
      expect(parseCidr(formatCidr(unwrap(range)))).toEqual(range);
    }),
  );
});
