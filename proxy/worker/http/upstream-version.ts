import type { HttpRequest } from "../../http/message.ts";
import type { Reachable } from "../connect-destination.ts";

/** HTTP/1 or 2 as the client speaks it, but HTTP/2 where the called port is declared to speak only that. */
export const goesOnAsHttp2 = (
  { version, upgrade }: Pick<HttpRequest, "version" | "upgrade">,
  destination: Reachable,
): boolean => {
  if (version === "2") return true;
  const declared = destination.kind === "service" ? destination.port.protocol : "unknown";
  return upgrade.length === 0 && (declared === "http2" || declared === "grpc");
};
