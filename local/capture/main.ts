import { writeSync } from "node:fs";
import { openPacketSocket } from "./packet-socket.ts";
import { pcapFileHeader, pcapFrameHeader, SNAP_LENGTH } from "./pcap.ts";

/**
 * Writes every frame that passes a network device to standard output, as a pcap file, until nobody reads it any more or
 * the process is ended: `main.ts DEVICE`. The file's header is written once the device is listened on.
 */
const [, , device = "eth0"] = process.argv;
const packets = openPacketSocket(device);
const buffer = new Uint8Array(SNAP_LENGTH);

const writeAll = (bytes: Uint8Array): void => {
  for (let written = 0; written < bytes.length;) written += writeSync(1, bytes, written);
};

writeAll(pcapFileHeader());
for (;;) {
  const length = packets.receive(buffer);
  if (length > 0) writeAll(Buffer.concat([pcapFrameHeader(Date.now(), length), buffer.subarray(0, length)]));
}
