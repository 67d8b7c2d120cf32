import { expect, test } from "vitest";
import { formatSocketAddress, parseSocketAddress } from "./socket-address.ts";

test.each([
  ["10.0.0.1:80", { address: "10.0.0.1", port: 80 }],
  ["[fd00::1]:65535", { address: "fd00::1", port: 65535 }],
])("%s parses, and is written the same", (text, address) => {
  const parsed = parseSocketAddress(text);
  expect(parsed).toEqual({ ok: true, value: address });
  if (parsed.ok) expect(formatSocketAddress(parsed.value)).toBe(text);
});

test.each([
  "10.0.0.1",
  "10.0.0.1:",
  "10.0.0.1:0",
  "10.0.0.1:080",
  "10.0.0.1:65536",
  "[10.0.0.1]:80",
  "fd00::1:80",
  "[fd00::1]",
  "[fd00::1]:80x",
  "web.shop.svc:80",
  ":80",
  "10.0.0.1:80\n",
])("%j is no address with a port", (text) => {
  expect(parseSocketAddress(text).ok).toBe(false);
});
