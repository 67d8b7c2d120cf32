import * as fc from "fast-check";
import { expect, test } from "vitest";
import { effectivePort, formatAuthority, isSameAuthority, parseAuthority } from "./authority.ts";

test.each<[string, string, number | undefined]>([
  ["a", "a", undefined],
  ["WWW.Example.COM", "www.example.com", undefined],
  ["example.com.", "example.com", undefined],
  ["Example.com.:8080", "example.com", 8080],
  ["a:", "a", undefined],
  ["a:65535", "a", 65_535],
  ["a_b-c.svc", "a_b-c.svc", undefined],
  ["10.0.0.1:80", "10.0.0.1", 80],
  ["[::1]", "[::1]", undefined],
  ["[0:0::0:1]:443", "[::1]", 443],
  ["[2001:DB8::A]", "[2001:db8::a]", undefined],
  ["[::ffff:10.0.0.1]", "[::ffff:a00:1]", undefined],
])("%s is %s, port %s", (text, host, port) => {
  expect(parseAuthority(text)).toEqual({ kind: "authority", authority: { host, port } });
});

test.each([
  "",
  ".",
  "a..b",
  ".a",
  "a..",
  "a b",
  "a,b",
  "a@b",
  "a/b",
  "a?",
  "a%41",
  "a:b",
  "a:0",
  "a:080",
  "a:65536",
  "a:-1",
  "a:1:2",
])("%j is no authority", (text) => {
  expect(parseAuthority(text).kind).toBe("invalid");
});

test.each([
  "::1",
  "[::1",
  "::1]",
  "[]",
  "[:::]",
  "[1]",
  "[::1%25eth0]",
  "[v1.a]",
  "[::1]a",
  "a".repeat(254),
  "\u212a",
  "a\u0130",
])("%j is no authority", (text) => {
  expect(parseAuthority(text).kind).toBe("invalid");
});

test("a normal form is its own normal form", () => {
  const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,10}$/);
  const text = fc
    .tuple(
      fc.array(label, { minLength: 1, maxLength: 4 }),
      fc.constantFrom("", "."),
      fc.constantFrom("", ":", ":80", ":8080"),
    )
    // A letter that is not hexadecimal: what ends in a number is an address or nothing.
    .map(([labels, dot, port]) => `${labels.join(".")}z${dot}${port}`);
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        fc.ipV4(),
        fc.ipV6().map((address) => `[${address}]:1`),
      ),
      (written) => {
        const parsed = parseAuthority(written);
        if (parsed.kind !== "authority") throw new Error(written);
        expect(parseAuthority(formatAuthority(parsed.authority))).toEqual(parsed);
      },
    ),
  );
});

test("the scheme's port is the same as none", () => {
  const [bare, http, https] = [
    { host: "a", port: undefined },
    { host: "a", port: 80 },
    { host: "a", port: 443 },
  ] as const;
  expect(isSameAuthority(bare, http, "http")).toBe(true);
  expect(isSameAuthority(bare, https, "http")).toBe(false);
  expect(isSameAuthority(bare, https, "https")).toBe(true);
  expect(effectivePort(bare, "https")).toBe(443);
});
