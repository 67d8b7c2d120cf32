import { isIP, SocketAddress } from "node:net";

/** A pod as the enroller names it. */
export interface EnrolmentRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  /** Canonical text. */
  readonly addresses: readonly string[];
  /** Path of the pod's network namespace. */
  readonly netns: string;
  readonly node: string;
  /** Sources whose connections go past the proxy to the application: the kubelet's. */
  readonly probeAddresses: readonly string[];
  /** Every capability that the pod's processes may hold. */
  readonly capabilities: readonly string[];
}

/** One line from an enroller (version 1). */
export type EnrolmentRequest =
  | { readonly kind: "enrol"; readonly pod: EnrolmentRecord }
  | { readonly kind: "drain"; readonly uid: string }
  | { readonly kind: "withdraw"; readonly uid: string }
  /** Every pod of the node has been named; what was not is withdrawn. */
  | { readonly kind: "complete" }
  /** Which supervisor this is, and whether an earlier one is still there. */
  | { readonly kind: "status" }
  /** Another supervisor takes the place of this one; see hand-over.ts. */
  | { readonly kind: "hand-over"; readonly handOver: number };

/** One line back. */
export type EnrolmentAnswer =
  | { readonly kind: "enrolled" | "draining" | "withdrawn"; readonly uid: string }
  | { readonly kind: "refused"; readonly uid: string; readonly reason: string }
  | { readonly kind: "completed" }
  | { readonly kind: "status"; readonly pid: number; readonly draining: DrainingSupervisor | undefined }
  | { readonly kind: "error"; readonly reason: string };

/** An earlier supervisor whose connections have not all ended. */
export interface DrainingSupervisor {
  readonly pid: number;
  readonly connections: number;
  /** After it what is left is ended. */
  readonly endsInMs: number;
}

export const ENROLMENT_VERSION = 1;

/** A pod has a name, a handful of addresses and a path; nothing honest is longer. */
export const MAX_LINE_LENGTH = 16_384;
const MAX_TEXT = 512;
/** RFC 1123 subdomain. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const NO_NAME = "must be a name of Kubernetes (RFC 1123)";
const MAX_ITEMS = 64;

/** Capabilities that let a process leave the mesh: set the proxy's mark, change the rules, or load programs. */
const RISKY_CAPABILITIES = new Set(["NET_ADMIN", "NET_RAW", "SYS_ADMIN", "BPF", "SYS_PTRACE", "SYS_MODULE", "ALL"]);

/** Those of a pod's capabilities with which it could leave the mesh, without the prefix CAP_. */
export const riskyCapabilities = (capabilities: readonly string[]): readonly string[] =>
  capabilities.map((name) => name.toUpperCase().replace(/^CAP_/, "")).filter((name) => RISKY_CAPABILITIES.has(name));

/** Parses one line. @returns the request, or what is wrong with the line. */
export const parseEnrolment = (line: string): EnrolmentRequest | string => {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    return "not JSON";
  }
  if (!isRecord(message)) return "not a JSON object";
  if (message.version !== ENROLMENT_VERSION) return `version ${JSON.stringify(message.version)} is not spoken, only 1`;
  switch (message.kind) {
    case "enrol":
      return parsePod(message.pod);
    case "drain":
    case "withdraw":
      return isText(message.uid) ? { kind: message.kind, uid: message.uid } : "uid must be a text";
    case "complete":
    case "status":
      return { kind: message.kind };
    case "hand-over": {
      const { handOver } = message;
      return typeof handOver === "number" ? { kind: "hand-over", handOver } : "handOver must be a number";
    }
    default:
      return `kind ${JSON.stringify(message.kind)} is unknown`;
  }
};

export const formatAnswer = (answer: EnrolmentAnswer): string =>
  `${JSON.stringify({ version: ENROLMENT_VERSION, ...answer })}\n`;

const parsePod = (pod: unknown): EnrolmentRequest | string => {
  if (!isRecord(pod)) return "pod is missing";
  const { uid, namespace, name, serviceAccount, netns, node } = pod;
  const { addresses, probeAddresses = [], capabilities = [] } = pod;
  if (!isText(uid)) return "pod.uid must be a text";
  if (!isText(node)) return "pod.node must be a text";
  if (!isName(namespace)) return `pod.namespace ${NO_NAME}`;
  if (!isName(name)) return `pod.name ${NO_NAME}`;
  if (!isName(serviceAccount)) return `pod.serviceAccount ${NO_NAME}`;
  if (!isText(netns) || !netns.startsWith("/")) return "pod.netns must be an absolute path";
  if (!isListOf(addresses, isAddress) || addresses.length === 0) return "pod.addresses must be a list of IP addresses";
  if (!isListOf(probeAddresses, isAddress)) return "pod.probeAddresses must be a list of IP addresses";
  if (!isListOf(capabilities, isText)) return "pod.capabilities must be a list of names";
  return {
    kind: "enrol",
    pod: {
      uid,
      namespace,
      name,
      serviceAccount,
      addresses: addresses.map(canonical),
      netns,
      node,
      probeAddresses: probeAddresses.map(canonical),
      capabilities,
    },
  };
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isText = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= MAX_TEXT && !/\p{Cc}/u.test(value);

/** Part of the pod's identity, so that it can be nothing else than a name. */
const isName = (value: unknown): value is string => typeof value === "string" && NAME.test(value);

/** Written into nft rules: a text that is an address, and nothing that only starts like one. */
const isAddress = (value: unknown): value is string =>
  typeof value === "string" && isIP(value) !== 0 && !value.includes("%");

/** The one text form that an address has in the mesh: RFC 5952, and IPv4 that is mapped into IPv6 is IPv4. */
const canonical = (address: string): string => {
  const { address: text } = new SocketAddress({ address, family: isIP(address) === 6 ? "ipv6" : "ipv4" });
  return text.startsWith("::ffff:") && text.includes(".") ? text.slice(7) : text;
};

const isListOf = <Item>(value: unknown, isItem: (item: unknown) => item is Item): value is readonly Item[] =>
  Array.isArray(value) && value.length <= MAX_ITEMS && value.every((item: unknown) => isItem(item));
