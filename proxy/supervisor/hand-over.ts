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
 * The version is that of everything above: who speaks another refuses, and says so. Within one version messages and fields
 * are added only: who does not know a message leaves it be, and what an older supervisor does not say has a default.
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

/** Both ends are equally privileged: what comes has the form that it was given. What is not there an older one did not know. */
export const decodeGiving = (payload: Uint8Array): Giving => {
  const message = JSON.parse(Buffer.from(payload).toString()) as Giving;
  if (message.kind !== "pod") return message;
  const { record, capture } = message;
  return {
    ...POD_DEFAULTS,
    ...message,
    record: { ...RECORD_DEFAULTS, ...record },
    capture: { ...CAPTURE_DEFAULTS, ...capture },
  };
};

/** A pod of which it is not known whether it could be served is waited for. */
const POD_DEFAULTS = { home: -1, isIsolated: false, isPrepared: true } as const;
const RECORD_DEFAULTS = { probeAddresses: [], capabilities: [] } as const;
/** Rules of which nothing is known are another version's. */
const CAPTURE_DEFAULTS = { sysctls: [], generation: undefined, definition: "" } as const;

export const encodeTaking = (message: Taking): Uint8Array => Buffer.from(`${JSON.stringify(message)}\n`);

/** Cuts what the new one says into messages. @param onGarbage called for what no supervisor says */
export const takingReader = (
  onMessage: (message: Taking) => void,
  onGarbage: () => void,
): ((chunk: Uint8Array) => void) => {
  let held = "";
  return (chunk) => {
    const lines = (held + Buffer.from(chunk).toString()).split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) {
      const message = parsed(line);
      if (message) onMessage(message);
      else return onGarbage();
    }
  };
};

const parsed = (line: string): Taking | undefined => {
  try {
    return JSON.parse(line) as Taking;
  } catch {
    return undefined;
  }
};
