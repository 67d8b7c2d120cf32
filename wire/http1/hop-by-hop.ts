import type { Field } from "../field.ts";
import { connectionOptions, members } from "./head-facts.ts";
import { field } from "./head.ts";
import { isNamed } from "./characters.ts";

/** Whether a Connection field may not remove a field; gets the name in lower case. */
export type IsProtected = (lowerCaseName: string) => boolean;

/**
 * The fields without those that concern one connection alone (RFC 9110 section 7.6.1). It removes
 * - always: Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade, HTTP2-Settings, and TE but for `trailers`;
 * - what a Connection field names, unless it is protected.
 *
 * Protected are the fields by which somebody is recognised or allowed, or a message is understood ({@link isProtectedField}):
 * else `Connection: authorization` would have the proxy itself take away what the next hop decides on (H1-63). RFC 9110
 * forbids senders to name such fields, so nobody honest misses them. Hand in a wider rule where policies look at other names.
 *
 * Framing is not in the fields afterwards but for Content-Length, which an encoder sets right.
 */
export const endToEndFields = (
  fields: readonly Field[],
  isProtected: IsProtected = isProtectedField,
): readonly Field[] => {
  const named = namedByConnection(fields, isProtected);
  const kept: Field[] = [];
  for (const each of fields) {
    if (isNamed(each.name, "te")) {
      if (acceptsTrailers(each)) kept.push(field(each.name, "trailers"));
    } else if (!isHopByHop(each.name) && !named?.has(each.name.toLowerCase())) kept.push(each);
  }
  return kept;
};

/** Every field that a registry defines for end to end use in identity, routing, caching or content, and all of `x-`. */
export const isProtectedField: IsProtected = (name) => name.startsWith("x-") || PROTECTED.has(name);

/** @returns undefined when there is nothing to remove but what always is. */
const namedByConnection = (fields: readonly Field[], isProtected: IsProtected): ReadonlySet<string> | undefined => {
  let named: Set<string> | undefined;
  for (const { name, value } of fields) {
    if (!isNamed(name, "connection")) continue;
    for (const option of connectionOptions(value))
      if (option !== "keep-alive" && option !== "close" && !isProtected(option)) (named ??= new Set()).add(option);
  }
  return named;
};

/** By length first: most fields are done with after one comparison. */
export const isHopByHop = (name: string): boolean => {
  switch (name.length) {
    case 7:
      return isNamed(name, "upgrade");
    case 10:
      return isNamed(name, "connection") || isNamed(name, "keep-alive");
    case 14:
      return isNamed(name, "http2-settings");
    case 16:
      return isNamed(name, "proxy-connection");
    case 17:
      return isNamed(name, "transfer-encoding");
    default:
      return false;
  }
};

const PROTECTED: ReadonlySet<string> = new Set([
  // who sends it, and what speaks for it
  ..."authorization proxy-authorization www-authenticate proxy-authenticate authentication-info cookie set-cookie".split(
    " ",
  ),
  ..."origin referer user-agent from dpop signature signature-input client-cert client-cert-chain".split(" "),
  // where it goes, and which way it came
  ..."host forwarded via location max-forwards traceparent tracestate baggage b3 grpc-timeout date expect".split(" "),
  // what it means
  ..."content-length content-type content-encoding content-language content-location content-range content-digest".split(
    " ",
  ),
  ..."content-security-policy strict-transport-security allow accept accept-encoding accept-language range trailer".split(
    " ",
  ),
  ..."cache-control age expires vary etag last-modified pragma retry-after server".split(" "),
  ..."if-match if-none-match if-modified-since if-unmodified-since if-range grpc-status grpc-message idempotency-key".split(
    " ",
  ),
  ..."access-control-allow-origin access-control-allow-credentials access-control-allow-headers".split(" "),
  ..."access-control-allow-methods access-control-expose-headers access-control-request-method".split(" "),
  ..."access-control-request-headers sec-fetch-site sec-fetch-mode sec-fetch-dest sec-fetch-user".split(" "),
  ..."sec-websocket-key sec-websocket-accept sec-websocket-version sec-websocket-protocol sec-websocket-extensions".split(
    " ",
  ),
]);

const acceptsTrailers = ({ value }: Field): boolean =>
  members(value).some((member) => member.toLowerCase() === "trailers");
