import type { AppProtocol } from "#mesh/service.ts";
import type { Workload } from "#mesh/workload.ts";
import { detectProtocol } from "#wire/detect/detect-protocol.ts";

/**
 * What is to be expected on a connection before its first byte. `http`: HTTP in whichever version, as declared. `opaque`: bytes,
 * as declared. `unknown`: nothing is declared, and the first bytes tell.
 */
export type Expected = "http" | "opaque" | "unknown";

/** @param hasRoutes whether routes are attached to the port: they are for HTTP, whatever else is not said */
export const expectedOn = (protocol: AppProtocol, hasRoutes: boolean): Expected =>
  protocol === "unknown" && hasRoutes ? "http" : EXPECTED[protocol];

const EXPECTED: Readonly<Record<AppProtocol, Expected>> = {
  http1: "http",
  http2: "http",
  grpc: "http",
  tcp: "opaque",
  tls: "opaque",
  unknown: "unknown",
};

/** What is to be expected on a port of a pod: what the services say of which it is an endpoint, if they agree. */
export const expectedAt = (workload: Workload | undefined, port: number): Expected => {
  let expected: Expected | undefined;
  for (const ports of workload?.services.values() ?? []) {
    for (const { targetPort, protocol } of ports) {
      if (targetPort !== port || protocol === "unknown") continue;
      const one = expectedOn(protocol, false);
      if (expected !== undefined && expected !== one) return "unknown";
      expected = one;
    }
  }
  return expected ?? "unknown";
};

/** What a connection turned out to speak. */
export type Spoken = "http1" | "http2" | "opaque";

/**
 * Tells from first bytes what is spoken.
 * @param hasEnded whether no more can come
 * @returns undefined where more has to be seen
 */
export const spokenIn = (expected: Expected, bytes: Uint8Array, hasEnded: boolean): Spoken | undefined => {
  if (expected === "opaque" || (hasEnded && bytes.length === 0)) return "opaque";
  const { kind } = detectProtocol(bytes);
  if (kind === "http1" || kind === "http2") return kind;
  if (kind === "need-more" && !hasEnded) return undefined;
  // Whoever speaks TLS to a port of HTTP cannot be understood there, and may have a server that does. What is wrong with
  // everything else is for the reader of HTTP to say.
  return expected === "http" && kind !== "tls" ? "http1" : "opaque";
};
