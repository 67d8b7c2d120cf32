import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import type { Workload } from "#mesh/workload.ts";
import type { Flow } from "../../channel/worker-report.ts";
import type { ConnectionEnds } from "./tcp-labels.ts";

/** A line or more for every connection and request: they are built in place. */
export type MutableFlow = { -readonly [Key in keyof Required<Flow>]: Flow[Key] };

/**
 * A line of which only the beginning is known. It has all fields from its birth, in the order in which they are told: an
 * object that grows field by field takes ten times as long to make and to write.
 */
export const newLine = (
  event: "opened" | "failed" | "closed" | "request",
  { direction, traceId }: { readonly direction: "inbound" | "outbound"; readonly traceId: string },
  durationMs: number,
): MutableFlow => ({
  event,
  direction,
  trace_id: traceId,
  request_id: undefined,
  duration_ms: Math.round(durationMs),
  method: undefined,
  authority: undefined,
  path: undefined,
  protocol: undefined,
  response_code: undefined,
  grpc_status: undefined,
  response_flags: undefined,
  reason: undefined,
  error: undefined,
  bytes_sent: undefined,
  bytes_recv: undefined,
  attempts: undefined,
  route: undefined,
  route_rule: undefined,
  backend: undefined,
  "src.addr": undefined,
  "src.workload": undefined,
  "src.namespace": undefined,
  "src.identity": undefined,
  "dst.addr": undefined,
  "dst.workload": undefined,
  "dst.namespace": undefined,
  "dst.identity": undefined,
  "dst.service": undefined,
  "dst.hbone_addr": undefined,
  "dst.endpoint": undefined,
  "dst.tls": undefined,
  "pod.namespace": undefined,
  "pod.name": undefined,
  connection_security_policy: undefined,
  plaintext_reason: undefined,
  policy: undefined,
});

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

/** The pod of this node. */
export const ownEnd = ({ reporter, source, destination }: ConnectionEnds): Workload | undefined =>
  reporter === "source" ? source : destination;

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
 * Adds what was moved, from the reporter's view: what its own workload sent (istio/istio#32399). Metrics do not turn: there
 * sent is the response, whoever reports.
 */
export const addBytes = (flow: MutableFlow, requestBytes: number, responseBytes: number): void => {
  const isInbound = flow.direction === "inbound";
  flow.bytes_sent = isInbound ? responseBytes : requestBytes;
  flow.bytes_recv = isInbound ? requestBytes : responseBytes;
};

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
