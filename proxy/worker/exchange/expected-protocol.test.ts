import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { AppProtocol } from "#mesh/service.ts";
import { exampleWorkload } from "#mesh/testing/examples.ts";
import type { Workload } from "#mesh/workload.ts";
import { type Expected, expectedAt, expectedOn, type Spoken, spokenIn } from "./expected-protocol.ts";

test.each<readonly [AppProtocol, Expected, Expected]>([
  ["http1", "http", "http"],
  ["http2", "http", "http"],
  ["grpc", "http", "http"],
  ["tcp", "opaque", "opaque"],
  ["tls", "opaque", "opaque"],
  ["unknown", "unknown", "http"],
])("a port declared %s expects %s, and with routes %s", (protocol, without, withRoutes) => {
  expect([expectedOn(protocol, false), expectedOn(protocol, true)]).toEqual([without, withRoutes]);
});

const serving = (...protocols: readonly AppProtocol[]): Workload => ({
  ...exampleWorkload(),
  services: new Map(
    protocols.map((protocol, index) => [
      `shop/s${index}.shop.svc.cluster.local`,
      [{ servicePort: 80, targetPort: 8080, protocol }],
    ]),
  ) as Workload["services"],
});

test.each<readonly [string, Workload | undefined, Expected]>([
  ["nobody knows it", undefined, "unknown"],
  ["no service names the port", serving(), "unknown"],
  ["all services say the same", serving("http1", "grpc"), "http"],
  ["some say nothing", serving("unknown", "tcp"), "opaque"],
  ["they differ", serving("http1", "tcp"), "unknown"],
])("on a pod's port where %s", (_, workload, expected) => expect(expectedAt(workload, 8080)).toBe(expected));

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HELLO = "\x16\x03\x01\x02\x00\x01";

test.each<readonly [Expected, string, boolean, Spoken | undefined]>([
  ["http", "GET / HTTP/1.1\r\n", false, "http1"],
  ["http", PREFACE, false, "http2"],
  ["http", "PRI * HTTP/2", false, undefined],
  ["http", "PRI * HTTP/2", true, "http1"],
  ["http", "GE", false, undefined],
  ["http", "GE", true, "http1"],
  ["http", "EHLO you\r\n", false, "http1"],
  ["http", HELLO, false, "opaque"],
  ["http", "", true, "opaque"],
  ["unknown", "GET / HTTP/1.1\r\n", false, "http1"],
  ["unknown", PREFACE, false, "http2"],
  ["unknown", "GE", false, undefined],
  ["unknown", "GE", true, "opaque"],
  ["unknown", "EHLO you\r\n", false, "opaque"],
  ["unknown", HELLO, false, "opaque"],
  ["unknown", "", true, "opaque"],
  ["opaque", "GET / HTTP/1.1\r\n", false, "opaque"],
])("where %s is expected, %j (ended: %s) is %s", (expected, text, hasEnded, spoken) => {
  expect(spokenIn(expected, Buffer.from(text, "latin1"), hasEnded)).toBe(spoken);
});

test("how the first bytes are cut changes nothing, and more of them no decision", () => {
  const words = fc.constantFrom("GET ", "/", PREFACE, HELLO, "PRI ", "P", "\0", " ", "x", "OPTIONS * HTTP/1.1\r\n");
  const given = fc.tuple(fc.constantFrom<Expected>("http", "unknown"), fc.array(words, { maxLength: 5 }));
  fc.assert(
    fc.property(given, ([expected, parts]) => {
      const bytes = Buffer.from(parts.join(""), "latin1");
      const whole = spokenIn(expected, bytes, false);
      for (let length = 1; length <= bytes.length; length++) {
        const early = spokenIn(expected, bytes.subarray(0, length), false);
        if (early !== undefined) expect(early).toBe(whole);
      }
    }),
  );
});
