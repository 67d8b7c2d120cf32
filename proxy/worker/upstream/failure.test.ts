import { expect, test } from "vitest";
import { ip } from "#mesh/testing/examples.ts";
import { TunnelError } from "../../tunnel/tunnel.ts";
import { DialError } from "./dial.ts";
import { upstreamFailure } from "./failure.ts";
import { NoSocketError } from "./socket-stock.ts";
import { TunnelDialError } from "./tunnel-dial.ts";

const TARGET = { address: ip("10.0.0.1"), port: 80 };

/** What fails, Envoy's flag for it as ztunnel uses it, our word for it, and where it may be tried again. */
test.each([
  [new TunnelDialError("trust-domain", "m"), "IDENTITY_ERROR", "foreign-trust-domain", "elsewhere"],
  [new TunnelDialError("connect-timeout", "m"), "NETWORK_POLICY", "tunnel-connect-timeout", "elsewhere"],
  [new TunnelDialError("connect", "m"), "CONNECT", "tunnel-connect-failed", "elsewhere"],
  [new TunnelDialError("tls", "m"), "TLS_FAILURE", "tunnel-tls-failed", "elsewhere"],
  [new TunnelDialError("identity", "m"), "IDENTITY_ERROR", "unexpected-identity", "elsewhere"],
  [new TunnelDialError("settings", "m"), "H2_HANDSHAKE_FAILURE", "tunnel-not-accepted", "elsewhere"],
  [new TunnelError("broken", "m"), "CONNECT", "tunnel-broken", "anywhere"],
  [new TunnelError("unanswered", "m"), "CONNECT", "tunnel-unanswered", "never"],
  [new TunnelError("refused", "m", 401), "DENY", "denied-by-peer", "never"],
  [new TunnelError("refused", "m", 503), "CONNECT", "peer-cannot-connect", "elsewhere"],
  [new TunnelError("refused", "m", 400), "CONNECT", "refused-by-peer", "never"],
  [new TunnelError("refused", "m", 200), "CONNECT", "refused-by-peer", "never"],
  [new TunnelError("refused", "m"), "CONNECT", "refused-by-peer", "never"],
  [new DialError(TARGET, "ETIMEDOUT", "m"), "CONNECT", "connect-timeout", "elsewhere"],
  [new DialError(TARGET, "ECONNREFUSED", "m"), "CONNECT", "connect-failed", "elsewhere"],
  [new NoSocketError("m"), "CONNECT", "no-socket", "never"],
] as const)("%o is told as %s, %s and may be tried again %s", (error, flag, reason, retry) => {
  expect(upstreamFailure(error)).toEqual({ flag, reason, message: error.message, retry });
});

test("what is no failure of the other side is thrown on", () => {
  const mistake = new TypeError("a mistake of ours");
  expect(() => upstreamFailure(mistake)).toThrow(mistake);
  expect(() => upstreamFailure("text")).toThrow("text");
});
