/**
 * What a worker tells the supervisor: records of 16 bytes, and nothing else. A worker parses bytes from pods, so that the
 * supervisor, which holds every privilege, reads from it only what cannot be misread.
 *
 *   u8 kind | u8 socket kind | u16 zero | u32 pod slot | u32 count | u32 zero      (little-endian)
 *
 * What a kind has no use for is zero.
 */
export type WorkerRecord =
  /** The worker has started and reads its channels. */
  | { readonly kind: "ready" }
  /** It wants `count` outbound sockets in a pod's namespace. */
  | { readonly kind: "need"; readonly slot: number; readonly sockets: "direct" | "local"; readonly count: number }
  /** It has what serving a pod takes: the pod's record, policies and certificate. */
  | { readonly kind: "prepared"; readonly slot: number }
  /** While it retires: so many connections are left. */
  | { readonly kind: "draining"; readonly count: number };

export const RECORD_BYTES = 16;

/** More than a stock and all who may wait for it ever need at once (10,064, see upstream/socket-stock.ts). */
export const MAX_NEEDED = 16_384;

const READY = 1;
const NEED = 2;
const PREPARED = 3;
const DRAINING = 4;

export const encodeWorkerRecord = (record: WorkerRecord): Uint8Array => {
  const bytes = new Uint8Array(RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, KINDS[record.kind]);
  if (record.kind === "need") view.setUint8(1, record.sockets === "local" ? 1 : 0);
  if (record.kind === "need" || record.kind === "prepared") view.setUint32(4, record.slot, true);
  if (record.kind === "need" || record.kind === "draining") view.setUint32(8, record.count, true);
  return bytes;
};

const KINDS: Readonly<Record<WorkerRecord["kind"], number>> = {
  ready: READY,
  need: NEED,
  prepared: PREPARED,
  draining: DRAINING,
};

/** @returns undefined for anything that no honest worker writes. */
export const decodeWorkerRecord = (bytes: Uint8Array): WorkerRecord | undefined => {
  if (bytes.length !== RECORD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_BYTES);
  const [kind, sockets, zero] = [
    view.getUint8(0),
    view.getUint8(1),
    view.getUint16(2, true) + view.getUint32(12, true),
  ];
  const [slot, count] = [view.getUint32(4, true), view.getUint32(8, true)];
  if (zero !== 0 || sockets > 1) return undefined;
  if (kind === NEED)
    return count > 0 && count <= MAX_NEEDED
      ? { kind: "need", slot, sockets: sockets === 1 ? "local" : "direct", count }
      : undefined;
  if (sockets !== 0) return undefined;
  if (kind === DRAINING) return slot === 0 ? { kind: "draining", count } : undefined;
  if (count !== 0) return undefined;
  if (kind === PREPARED) return { kind: "prepared", slot };
  return kind === READY && slot === 0 ? { kind: "ready" } : undefined;
};
