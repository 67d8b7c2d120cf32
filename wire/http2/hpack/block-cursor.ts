/** How far a field block is read. */
export interface BlockCursor {
  readonly block: Buffer;
  /** Offset of the next byte. */
  at: number;
}

/** @param block read where it is, not copied */
export const blockCursor = (block: Uint8Array): BlockCursor => ({
  block: Buffer.isBuffer(block) ? block : Buffer.from(block.buffer, block.byteOffset, block.byteLength),
  at: 0,
});
