import type { CaptureState } from "./capture.ts";
import type { EnrolmentRecord } from "./enrolment.ts";

/**
 * How a supervisor hands its pods over to the one that takes its place, each of its own children.
 *
 *   new -> old   a line on the enrolment socket: {"version":1,"kind":"hand-over","handOver":1}
 *   old -> new   on the same connection, one line with two descriptors: the ends of a channel; or a line that says why not
 *   old -> new   `pod` for each, `all`; nothing is enrolled or withdrawn meanwhile
 *                ... the new one prepares; whoever gives up closes the channel, and the old one goes on ...
 *   new -> old   `taken`: the new one accepts
 *   old -> new   `released`: the path of the enrolment socket is free; the old one accepts nothing any more, and drains
 *   old -> new   `draining`, now and then, until it ends
 *   new -> old   `withdrawn`: a pod is gone, nothing of it may stay open
 *
 * The version is that of everything above: who speaks another refuses, and says so.
 */
export const HAND_OVER_VERSION = 1;

/** What the old one says, as JSON in packets. */
export type Giving =
  /** Descriptors: network namespace, then the listening sockets for outbound, inbound and tunnels. */
  | {
      readonly kind: "pod";
      readonly record: EnrolmentRecord;
      /** Identity of the namespace, as the old one knows it. */
      readonly namespace: string;
      readonly capture: CaptureState;
      readonly home: number;
      readonly isIsolated: boolean;
      readonly isPrepared: boolean;
    }
  /** So many pods were named. `isComplete`: the enroller has named every pod of the node. */
  | { readonly kind: "all"; readonly pods: number; readonly isComplete: boolean }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "released" }
  | { readonly kind: "draining"; readonly connections: number; readonly endsInMs: number };

/** What the new one says, as lines of JSON. */
export type Taking =
  | { readonly kind: "taken"; readonly drainMs: number }
  | { readonly kind: "withdrawn"; readonly uid: string };

export const encodeGiving = (message: Giving): Uint8Array => Buffer.from(JSON.stringify(message));

/** Both ends are of the same version and equally privileged: what comes has the form that it was given. */
export const decodeGiving = (payload: Uint8Array): Giving => JSON.parse(Buffer.from(payload).toString()) as Giving;

export const encodeTaking = (message: Taking): Uint8Array => Buffer.from(`${JSON.stringify(message)}\n`);

/** Cuts what the new one says into messages. */
export const takingReader = (onMessage: (message: Taking) => void): ((chunk: Uint8Array) => void) => {
  let held = "";
  return (chunk) => {
    const lines = (held + Buffer.from(chunk).toString()).split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) onMessage(JSON.parse(line) as Taking);
  };
};
