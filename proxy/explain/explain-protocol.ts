import type { ExplainedProtocol } from "#mesh/admin/request-explanation.ts";
import { assertNever } from "#mesh/assert-never.ts";
import type { AppProtocol } from "#mesh/service.ts";
import type { Workload } from "#mesh/workload.ts";
import type { Destination } from "../worker/route/destination.ts";

/** How a connection with these first bytes is taken. @param scheme with `https` the client speaks TLS by itself */
export const explainProtocol = (
  destination: Exclude<Destination, { kind: "refused" }>,
  scheme: "http" | "https",
): ExplainedProtocol => {
  if (destination.kind === "unknown") {
    return {
      kind: "opaque",
      declared: undefined,
      message: "an address that the mesh does not know is not looked into",
    };
  }
  const declared =
    destination.kind === "service"
      ? destination.port.protocol
      : declaredAt(destination.workload, destination.called.port);
  return { declared, ...taken(declared, scheme) };
};

const taken = (
  declared: AppProtocol | undefined,
  scheme: "http" | "https",
): Pick<ExplainedProtocol, "kind" | "message"> => {
  const isTls = scheme === "https";
  switch (declared) {
    case "http1":
    case "http2":
    case "grpc":
      return isTls
        ? { kind: "refused", message: `the port is declared as ${declared}, and TLS is not that` }
        : { kind: "http", message: `the port is declared as ${declared}` };
    case "tcp":
    case "tls":
      return {
        kind: "opaque",
        message: `the port is declared as ${declared}: its bytes are passed on, and routes do not hold`,
      };
    case "unknown":
    case undefined:
      return isTls
        ? { kind: "opaque", message: "nothing is declared, and the first bytes are TLS: they are passed on" }
        : { kind: "http", message: "nothing is declared, and the first bytes are a request" };
    default:
      return assertNever(declared);
  }
};

/** What the Services of a pod say about a port of its own. */
const declaredAt = ({ services }: Workload, targetPort: number): AppProtocol | undefined =>
  [...services.values()].flat().find((port) => port.targetPort === targetPort)?.protocol;
