/**
 * What the agent tells the supervisor: records of 16 bytes, as a worker's are.
 *
 *   u8 kind | u24 zero | u32 index | u32 pid | u32 zero      (little-endian)
 */
export interface AgentRecord {
  /** End this life of a worker: it does not read what the agent sends, or says what no honest worker says. */
  readonly kind: "end-worker";
  readonly index: number;
  readonly pid: number;
}

export const AGENT_RECORD_BYTES = 16;

const END_WORKER = 1;

export const encodeAgentRecord = ({ index, pid }: AgentRecord): Uint8Array => {
  const bytes = new Uint8Array(AGENT_RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, END_WORKER);
  view.setUint32(4, index, true);
  view.setUint32(8, pid, true);
  return bytes;
};

/** @returns undefined for anything that an agent of this version does not write */
export const decodeAgentRecord = (bytes: Uint8Array): AgentRecord | undefined => {
  if (bytes.length !== AGENT_RECORD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, AGENT_RECORD_BYTES);
  if (view.getUint32(0, true) !== END_WORKER || view.getUint32(12, true) !== 0) return undefined;
  return { kind: "end-worker", index: view.getUint32(4, true), pid: view.getUint32(8, true) };
};
