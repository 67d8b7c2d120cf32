/**
 * The classic pcap file format (draft-ietf-opsawg-pcap): a header of 24 bytes, then for every frame 16 bytes of header and
 * the frame. Little endian, times in microseconds, Ethernet.
 */
const MAGIC = 0xa1b2c3d4;
const LINKTYPE_ETHERNET = 1;
/** The largest frame there is: what a device that cuts frames itself is given whole. */
export const SNAP_LENGTH = 262_144;

export const pcapFileHeader = (): Buffer => {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(SNAP_LENGTH, 16);
  header.writeUInt32LE(LINKTYPE_ETHERNET, 20);
  return header;
};

/** The header of a frame that was captured whole. */
export const pcapFrameHeader = (timeMs: number, length: number): Buffer => {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(Math.floor(timeMs / 1000), 0);
  header.writeUInt32LE(Math.floor((timeMs % 1000) * 1000), 4);
  header.writeUInt32LE(length, 8);
  header.writeUInt32LE(length, 12);
  return header;
};
