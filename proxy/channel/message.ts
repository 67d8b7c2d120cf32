import type { DescriptorMessage } from "./descriptor-channel.ts";

/** A pod whose traffic is captured, as the enroller named it. */
export interface EnrolledPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  /** Canonical text. */
  readonly addresses: readonly string[];
  readonly node: string;
  /** Capabilities the pod holds with which it could leave the mesh. */
  readonly riskyCapabilities: readonly string[];
}

/**
 * What the supervisor tells a worker. `slot` is the supervisor's number for one enrolment of a pod; it is never used twice.
 */
export type WorkerMessage =
  /**
   * Descriptors: the listening sockets for outbound, inbound and tunnels, in this order. `isHeld`: others accept on them until
   * `accept`.
   */
  | { readonly kind: "pod"; readonly slot: number; readonly pod: EnrolledPod; readonly isHeld: boolean }
  /** Accept connections of the pods that were held. */
  | { readonly kind: "accept" }
  /** Others serve the pods from now on: accept nothing more, end what is open by then, say everything to the agent, end. */
  | { readonly kind: "retire"; readonly drainMs: number }
  /** Stop serving the pod and close everything that belongs to it. */
  | { readonly kind: "release"; readonly slot: number }
  /** The pod is about to end: GOAWAY on its tunnels, no new ones. */
  | { readonly kind: "drain"; readonly slot: number }
  /** Descriptors: one stream to the agent, in place of an earlier one. */
  | { readonly kind: "agent" }
  /** Descriptors: outbound sockets of one kind in the pod's namespace. */
  | { readonly kind: "sockets"; readonly slot: number; readonly sockets: "direct" | "local" };

/** What the supervisor tells the agent. */
export type AgentMessage =
  /** A worker started. Descriptors: one stream to it. `startId` tells its lives apart. */
  | {
      readonly kind: "worker";
      readonly index: number;
      readonly startId: string;
      readonly pid: number;
      readonly restarts: number;
    }
  | { readonly kind: "worker-gone"; readonly startId: string; readonly reason: string }
  /** A pod is enrolled, or has moved to another worker. */
  | { readonly kind: "pod"; readonly slot: number; readonly worker: number; readonly pod: EnrolledPod }
  | { readonly kind: "pod-gone"; readonly slot: number }
  /** Whether the rules are still in the pod's namespace. */
  | { readonly kind: "capture"; readonly slot: number; readonly problem: string | undefined }
  /** The enroller has named every pod of the node. */
  | { readonly kind: "complete" }
  /** Answer on the node's ports and on the admin socket; they are free, or about to be. */
  | { readonly kind: "serve" }
  /** Another agent answers there from now on. */
  | { readonly kind: "retire" };

/** First byte of a payload: JSON, or the compact form of `sockets`, of which a busy node sends thousands a second. */
const JSON_FORM = 0x7b;
const SOCKETS_FORM = 1;

/** `sockets`: u8 1 | u8 kind | u16 zero | u32 slot. Everything else: JSON. */
export const encodeMessage = (
  message: WorkerMessage | AgentMessage,
  descriptors: readonly number[] = [],
): DescriptorMessage => {
  if (message.kind !== "sockets") return { payload: Buffer.from(JSON.stringify(message)), descriptors };
  const payload = new Uint8Array(8);
  payload[0] = SOCKETS_FORM;
  payload[1] = message.sockets === "local" ? 1 : 0;
  new DataView(payload.buffer).setUint32(4, message.slot, true);
  return { payload, descriptors };
};

/** What the supervisor sent to a worker; it is trusted, so that a message of no known form is a broken invariant. */
export const decodeWorkerMessage = (payload: Uint8Array): WorkerMessage => {
  if (payload[0] === JSON_FORM) return JSON.parse(Buffer.from(payload).toString()) as WorkerMessage;
  if (payload[0] !== SOCKETS_FORM) throw new Error(`the supervisor sent a message of unknown form ${payload[0]}`);
  const slot = new DataView(payload.buffer, payload.byteOffset).getUint32(4, true);
  return { kind: "sockets", slot, sockets: payload[1] === 1 ? "local" : "direct" };
};

/** What the supervisor sent to the agent. */
export const decodeAgentMessage = (payload: Uint8Array): AgentMessage =>
  JSON.parse(Buffer.from(payload).toString()) as AgentMessage;
