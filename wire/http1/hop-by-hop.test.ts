import { expect, test } from "vitest";
import { field } from "./head.ts";
import { endToEndFields } from "./hop-by-hop.ts";

const fieldsOf = (...lines: readonly string[]) =>
  lines.map((line) => field(line.split(": ")[0] ?? "", line.split(": ")[1] ?? ""));
const kept = (lines: readonly string[], isProtected?: (name: string) => boolean): readonly string[] =>
  endToEndFields(fieldsOf(...lines), isProtected).map(({ name, value }) => `${name}: ${value}`);

test.each([
  ["Connection: close", []],
  ["Keep-Alive: timeout=5", []],
  ["PROXY-CONNECTION: keep-alive", []],
  ["Transfer-Encoding: chunked", []],
  ["Upgrade: websocket", []],
  ["HTTP2-Settings: AA", []],
  ["TE: gzip", []],
  ["te: gzip;q=0.5, Trailers", ["te: trailers"]],
  ["Content-Length: 3", ["Content-Length: 3"]],
  ["Proxy-Authorization: a", ["Proxy-Authorization: a"]],
  ["Trailer: X", ["Trailer: X"]],
])("%s leaves %j (RFC 9110 section 7.6.1)", (line, left) => {
  expect(kept([line])).toEqual(left);
});

test("order and case of the others are kept", () => {
  expect(kept(["hOsT: a", "Connection: keep-alive", "X-B: 1", "x-b: 2"])).toEqual(["hOsT: a", "X-B: 1", "x-b: 2"]);
});

test("what Connection names is removed, in any case and from any of its lines", () => {
  expect(kept(["Connection: foo", "FOO: a", "Bar: b", "connection: BAR, close", "Baz: c"])).toEqual(["Baz: c"]);
});

test.each([
  "Authorization",
  "X-User",
  "X-Forwarded-For",
  "Cookie",
  "Host",
  "Forwarded",
  "baggage",
  "Content-Length",
  "Content-Type",
])("Connection does not remove %s (H1-63)", (name) => {
  expect(kept([`Connection: close, ${name.toLowerCase()}`, `${name}: a`])).toEqual([`${name}: a`]);
});

test("a policy's own names can be protected too", () => {
  const lines = ["Connection: tenant", "Tenant: a"];
  expect(kept(lines)).toEqual([]);
  expect(kept(lines, (name) => name === "tenant")).toEqual(["Tenant: a"]);
});
