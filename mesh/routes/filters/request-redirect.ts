import type { CompiledPath } from "../compiled-match.ts";
import type { RequestFacts } from "../request-facts.ts";
import type { RequestRedirect } from "../route.ts";
import { modifyPath } from "./path-modifier.ts";

const WELL_KNOWN_PORTS = { http: 80, https: 443 } as const;

/** What of a request stands in a redirect's Location. */
type RedirectedRequest = Pick<RequestFacts, "scheme" | "authority" | "target" | "service" | "port">;

/**
 * The Location of a redirect: what the filter does not name is the request's. The port is the one given, else the well-known
 * one of the scheme given, else the Service's; it is left out where it is the scheme's own (HTTPRequestRedirectFilter).
 */
export const redirectLocation = (
  filter: RequestRedirect,
  request: RedirectedRequest,
  matched: CompiledPath,
): string => {
  const scheme = filter.scheme ?? request.scheme;
  const host = filter.hostname ?? hostOf(request);
  const port = filter.port ?? (filter.scheme ? WELL_KNOWN_PORTS[filter.scheme] : request.port);
  const authority = port === WELL_KNOWN_PORTS[scheme] ? host : `${host}:${port}`;
  // Without the asterisk of OPTIONS, which has no place in a URL.
  const target = modifyPath(filter.path, request.target, matched);
  return `${scheme}://${authority}${target.startsWith("/") ? target : "/"}`;
};

/** The host that the client named, brackets of an IPv6 address included; where it named none, the Service's. */
const hostOf = ({ authority, service }: RedirectedRequest): string => {
  const host = authority.replace(/:[0-9]*$/, "");
  return host === "" ? service.slice(service.indexOf("/") + 1) : host;
};
