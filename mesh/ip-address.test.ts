import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ipAddressFromBytes, ipAddressToBytes, ipFamily, isLoopback, parseIpAddress } from "./ip-address.ts";
import { unwrap } from "./result.ts";

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["255.255.255.255", "255.255.255.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["FD00::000A", "fd00::a"],
  // RFC 5952 section 4.2.2: one zero group is not shortened.
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  // Section 4.2.3: the longest run, and the first of two that are equally long.
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["::ffff:a00:1", "10.0.0.1"],
  ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
])("%s is written %s", (text, canonical) => {
  expect(parseIpAddress(text)).toEqual({ ok: true, value: canonical });
});

test.each([
  "",
  "10.0.0",
  "10.0.0.1.1",
  "10.0.0.256",
  "010.0.0.1",
  "10.0.0.1 ",
  "0x0a.0.0.1",
  "1::2::3",
  ":::",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "12345::",
  "fe80::1%eth0",
  "1.2.3.4::",
  "::1.2.3",
  "[::1]",
])("%j is no address", (text) => {
  expect(parseIpAddress(text).ok).toBe(false);
});

test("every 4 or 16 bytes are an address, and its text parses back to them", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.array(fc.constantFrom(0, 1), { minLength: 16, maxLength: 16 }).map((values) => Uint8Array.from(values)),
  );
  fc.assert(
    fc.property(bytes, (value) => {
      const address = unwrap(ipAddressFromBytes(value));
      expect(parseIpAddress(address)).toEqual({ ok: true, value: address });
      const isMapped = value.length === 16 && ipFamily(address) === 4;
      expect([...ipAddressToBytes(address)]).toEqual([...(isMapped ? value.subarray(12) : value)]);
    }),
  );
});

test("an address of another length is refused", () => {
  expect(ipAddressFromBytes(new Uint8Array(5)).ok).toBe(false);
});

test("all of 127.0.0.0/8 and ::1 are loopback", () => {
  const loopback = (text: string): boolean => isLoopback(unwrap(parseIpAddress(text)));
  expect([loopback("127.0.0.1"), loopback("127.9.9.9"), loopback("::1"), loopback("128.0.0.1")]).toEqual([
    true,
    true,
    true,
    false,
  ]);
});
