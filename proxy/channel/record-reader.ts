/**
 * Cuts a stream of bytes into records of one length. What is held is always less than one record.
 * @param onRecord gets bytes that are only its own until it returns
 */
export const recordReader = (
  recordBytes: number,
  onRecord: (bytes: Uint8Array) => void,
): ((chunk: Uint8Array) => void) => {
  let held: Uint8Array = new Uint8Array(0);
  return (chunk) => {
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let start = 0;
    for (; bytes.length - start >= recordBytes; start += recordBytes) {
      onRecord(bytes.subarray(start, start + recordBytes));
    }
    held = bytes.slice(start);
  };
};
