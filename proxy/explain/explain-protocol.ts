import type { ExplainedProtocol } from "#mesh/admin/request-explanation.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import type { Reachable } from "../worker/connect-destination.ts";
import { type Expected, spokenIn } from "../worker/exchange/expected-protocol.ts";
import { expectedOutbound } from "../worker/first-words.ts";
import type { RequestAsked } from "./request-question.ts";

/** How a connection that begins with this request is taken. */
export const explainProtocol = (snapshot: Snapshot, destination: Reachable, asked: RequestAsked): ExplainedProtocol => {
  const expected = expectedOutbound(snapshot, destination);
  const spoken = spokenIn(expected, firstBytes(asked), false) ?? "opaque";
  const declared = destination.kind === "service" ? destination.port.protocol : "unknown";
  const isOfRoutes = destination.kind === "service" && declared === "unknown" && expected === "http";
  const word = declared === "unknown" ? EXPECTATIONS[expected] : `the port is declared as ${declared}`;
  const why = isOfRoutes ? "nothing is declared, and routes are attached to the port" : word;
  if (destination.kind === "unknown") {
    return { spoken: "opaque", message: "an address that the mesh does not know is not looked into" };
  }
  if (spoken === "opaque" && expected !== "opaque") {
    const begin = asked.scheme === "https" ? "TLS" : `${asked.method}, which is no method that is looked for`;
    return { spoken, message: `${why}, but the connection begins with ${begin}: its bytes are passed on` };
  }
  return { spoken: spoken === "opaque" ? spoken : VERSIONS[spoken], message: why };
};

const VERSIONS = { http1: "HTTP/1.1", http2: "HTTP/2" } as const;

const EXPECTATIONS: Readonly<Record<Expected, string>> = {
  http: "the pod's port is declared to speak HTTP",
  opaque: "the pod's port is declared to speak something else",
  unknown: "nothing is declared, and the first bytes tell",
};

/** The beginning of the connection, as the client would send it. */
const firstBytes = ({ scheme, isHttp2, method, target }: RequestAsked): Uint8Array => {
  if (scheme === "https") return CLIENT_HELLO;
  return Buffer.from(isHttp2 ? HTTP2_PREFACE : `${method} ${target} HTTP/1.1\r\n`);
};

/** RFC 8446 section 5.1: a handshake record of 256 bytes with a ClientHello in it. */
const CLIENT_HELLO = Uint8Array.of(0x16, 0x03, 0x01, 0x01, 0x00, 0x01);
/** RFC 9113 section 3.4. */
const HTTP2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
