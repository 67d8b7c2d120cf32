import type { IpAddress } from "#mesh/ip-address.ts";

/** A pod as the supervisor of its node is told of it. */
export interface EnrolledPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly addresses: readonly IpAddress[];
  /** Path of its network namespace. */
  readonly netns: string;
  readonly node: string;
  readonly probeAddresses: readonly IpAddress[];
  /** What its containers may do, without `CAP_`. */
  readonly capabilities: readonly string[];
}

const VERSION = 1;

/** What the runtime says, one JSON object a line. */
export type EnrolmentRequest =
  | { readonly kind: "enrol"; readonly pod: EnrolledPod }
  | { readonly kind: "drain" | "withdraw"; readonly uid: string }
  | { readonly kind: "complete" | "status" };

/** Which supervisor serves a node. */
export interface SupervisorStatus {
  readonly pid: number;
  /** The one before it, while it has connections. */
  readonly draining: DrainingSupervisor | undefined;
}

/** A supervisor that another one has taken over from. */
export interface DrainingSupervisor {
  readonly pid: number;
  readonly connections: number;
  /** What is left then is ended. */
  readonly endsInMs: number;
}

/** What the supervisor answers. */
export type EnrolmentReply =
  | { readonly kind: "enrolled" | "draining" | "withdrawn"; readonly uid: string }
  | { readonly kind: "refused"; readonly uid: string; readonly reason: string }
  | ({ readonly kind: "status" } & SupervisorStatus)
  | { readonly kind: "completed" };

export const encodeRequest = (request: EnrolmentRequest): string =>
  `${JSON.stringify({ version: VERSION, ...request })}\n`;

/** @returns undefined for what is none of this version's replies. */
export const parseReply = (line: string): EnrolmentReply | undefined => {
  const message = parseObject(line);
  const { version, kind, uid, reason } = message ?? {};
  if (version !== VERSION) return undefined;
  if (kind === "completed") return { kind };
  if (kind === "status") return parseStatus(message ?? {});
  if (typeof uid !== "string") return undefined;
  if (kind === "enrolled" || kind === "draining" || kind === "withdrawn") return { kind, uid };
  return kind === "refused"
    ? { kind, uid, reason: typeof reason === "string" ? reason : "no reason given" }
    : undefined;
};

const parseStatus = ({ pid, draining }: Record<string, unknown>): EnrolmentReply | undefined => {
  if (typeof pid !== "number") return undefined;
  return { kind: "status", pid, draining: draining as DrainingSupervisor | undefined };
};

const parseObject = (line: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
};
