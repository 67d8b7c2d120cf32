import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import type { Flow } from "../../channel/worker-report.ts";
import type { ConnectionEnds } from "./tcp-labels.ts";

/** A line or more for every connection and request: they are built in place. */
export type MutableFlow = { -readonly [Key in keyof Flow]: Flow[Key] };

/** The ends of something that just begins: only who reports is known. */
export const unknownEnds = (direction: "inbound" | "outbound"): ConnectionEnds => ({
  reporter: direction === "inbound" ? "destination" : "source",
  source: undefined,
  destination: undefined,
  service: undefined,
  sourcePrincipal: undefined,
  destinationPrincipal: undefined,
  isMutualTls: false,
});

/** Adds who the ends are, as far as they are known, and whether each proved it. */
export const addEnds = (
  flow: MutableFlow,
  {
    source,
    destination,
  }: { readonly source: SocketAddress | undefined; readonly destination: SocketAddress | undefined },
  ends: ConnectionEnds,
): void => {
  addEnd(flow, SOURCE_FIELDS, source, ends.source, ends.sourcePrincipal);
  addEnd(flow, DESTINATION_FIELDS, destination, ends.destination, ends.destinationPrincipal);
  if (ends.service) flow["dst.service"] = ends.service.hostname;
  flow.connection_security_policy = ends.isMutualTls ? "mutual_tls" : "none";
};

/**
 * What was moved, from the reporter's view: what its own workload sent (istio/istio#32399). Metrics do not turn: there sent
 * is the response, whoever reports.
 */
export const bytesSeenBy = (direction: "inbound" | "outbound", requestBytes: number, responseBytes: number): Flow =>
  direction === "inbound"
    ? { bytes_sent: responseBytes, bytes_recv: requestBytes }
    : { bytes_sent: requestBytes, bytes_recv: responseBytes };

type EndFields = Readonly<Record<"address" | "name" | "namespace" | "identity", keyof Flow>>;

const SOURCE_FIELDS: EndFields = {
  address: "src.addr",
  name: "src.workload",
  namespace: "src.namespace",
  identity: "src.identity",
};
const DESTINATION_FIELDS: EndFields = {
  address: "dst.addr",
  name: "dst.workload",
  namespace: "dst.namespace",
  identity: "dst.identity",
};

const addEnd = (
  flow: MutableFlow,
  fields: EndFields,
  address: SocketAddress | undefined,
  workload: ConnectionEnds["source"],
  principal: ConnectionEnds["sourcePrincipal"],
): void => {
  if (address) flow[fields.address] = formatSocketAddress(address);
  if (workload) {
    flow[fields.name] = workload.name;
    flow[fields.namespace] = workload.namespace;
  }
  if (principal) flow[fields.identity] = principal;
};
