import { Duplex } from "node:stream";
import { connect, type ConnectionOptions } from "node:tls";

/** Where things are in a first flight: record header 5, handshake header 4, version 2, random 32, then the session id. */
const RECORD_HEADER = 5;
const SESSION_ID = RECORD_HEADER + 4 + 2 + 32;

const SERVER_NAME = 0;

/** The bytes with which a client begins, one TLS record, without a server to talk to. */
export const captureClientHello = async (options: ConnectionOptions): Promise<Buffer> =>
  await new Promise((resolve) => {
    const wire = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        resolve(Buffer.from(chunk));
        done();
      },
    });
    const socket = connect({ ...options, socket: wire });
    socket.on("error", () => {});
  });

/** The same hello with any bytes for a server name: no client would send them. It must have none of its own. */
export const withServerName = (hello: Buffer, name: Uint8Array): Buffer => {
  const at = extensionsAt(hello);
  const host = Buffer.concat([Buffer.of(0), uint16(name.length), name]);
  const list = Buffer.concat([uint16(host.length), host]);
  const extension = Buffer.concat([uint16(SERVER_NAME), uint16(list.length), list]);
  const longer = Buffer.concat([hello.subarray(0, at + 2), extension, hello.subarray(at + 2)]);
  for (const length of [3, RECORD_HEADER + 2, at]) {
    longer.writeUInt16BE(longer.readUInt16BE(length) + extension.length, length);
  }
  return longer;
};

/** The same hello in records that hold one byte each. */
export const inTinyRecords = (hello: Buffer): Buffer =>
  Buffer.concat([...hello.subarray(RECORD_HEADER)].map((byte) => Buffer.of(0x16, 3, 1, 0, 1, byte)));

/** Skips session id, cipher suites and compression methods (RFC 8446 section 4.1.2). */
const extensionsAt = (hello: Buffer): number => {
  const suites = SESSION_ID + 1 + hello.readUInt8(SESSION_ID);
  const compression = suites + 2 + hello.readUInt16BE(suites);
  return compression + 1 + hello.readUInt8(compression);
};

const uint16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);
