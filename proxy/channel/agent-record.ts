/**
 * What the agent tells the supervisor: records of 16 bytes, as a worker's are.
 *
 *   u8 kind | u24 zero | u32 index | u32 pid | u32 zero      (little-endian)
 *
 * What a kind has no use for is zero.
 */
export type AgentRecord =
  /** End this life of a worker: it does not read what the agent sends, or says what no honest worker says. */
  | { readonly kind: "end-worker"; readonly index: number; readonly pid: number }
  /** It has heard everything from the control plane once. */
  | { readonly kind: "synced" }
  /** It does what it is there for; said every second. */
  | { readonly kind: "alive" };

export const AGENT_RECORD_BYTES = 16;

const END_WORKER = 1;
const SYNCED = 2;
const ALIVE = 3;

export const encodeAgentRecord = (record: AgentRecord): Uint8Array => {
  const bytes = new Uint8Array(AGENT_RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, KINDS[record.kind]);
  if (record.kind !== "end-worker") return bytes;
  view.setUint32(4, record.index, true);
  view.setUint32(8, record.pid, true);
  return bytes;
};

const KINDS: Readonly<Record<AgentRecord["kind"], number>> = { "end-worker": END_WORKER, synced: SYNCED, alive: ALIVE };

/** @returns undefined for anything that an agent of this version does not write */
export const decodeAgentRecord = (bytes: Uint8Array): AgentRecord | undefined => {
  if (bytes.length !== AGENT_RECORD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, AGENT_RECORD_BYTES);
  const [kind, index, pid] = [view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true)];
  if (view.getUint32(12, true) !== 0) return undefined;
  if (kind === END_WORKER) return { kind: "end-worker", index, pid };
  if (index !== 0 || pid !== 0) return undefined;
  if (kind === SYNCED) return { kind: "synced" };
  return kind === ALIVE ? { kind: "alive" } : undefined;
};
