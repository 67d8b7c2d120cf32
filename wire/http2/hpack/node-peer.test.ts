import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  constants,
  performServerHandshake,
  sensitiveHeaders,
  type Settings,
} from "node:http2";
import { type Duplex, duplexPair } from "node:stream";
import { expect, test } from "vitest";
import type { Field } from "../../field.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";

// Node.js speaks HPACK through nghttp2, which knows nothing of us.

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const FRAME_HEADER_BYTES = 9;
const [HEADERS, SETTINGS, GOAWAY, CONTINUATION] = [1, 4, 7, 9];
const [END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY] = [1, 1, 4, 8, 0x20];
const HEADER_TABLE_SIZE = 1;
const LIMITS = { maxBytes: 1_000_000, maxFields: 1000, maxFieldBytes: 100_000 };

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

async function* framesOf(stream: Duplex, skipped: number): AsyncGenerator<Frame> {
  let bytes = Buffer.alloc(0);
  let toSkip = skipped;
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    if (bytes.length < toSkip) continue;
    bytes = bytes.subarray(toSkip);
    toSkip = 0;
    while (bytes.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + bytes.readUIntBE(0, 3);
      if (bytes.length < end) break;
      yield { type: bytes.readUInt8(3), flags: bytes.readUInt8(4), payload: bytes.subarray(FRAME_HEADER_BYTES, end) };
      bytes = bytes.subarray(end);
    }
  }
}

/** Leaves the connection open, unlike a loop that is left. */
const firstOf = async (frames: AsyncGenerator<Frame>, isWanted: (frame: Frame) => boolean): Promise<Frame> => {
  for (;;) {
    const { value, done } = await frames.next();
    if (done) throw new Error("the connection ended");
    if (isWanted(value)) return value;
  }
};

/** What of HEADERS or CONTINUATION belongs to the field block. */
const fragmentOf = ({ type, flags, payload }: Frame): Buffer => {
  if (type === CONTINUATION) return payload;
  const padding = flags & PADDED ? payload.readUInt8(0) : 0;
  return payload.subarray((flags & PADDED ? 1 : 0) + (flags & PRIORITY ? 5 : 0), payload.length - padding);
};

const frame = (type: number, flags: number, streamId: number, payload: Uint8Array): Buffer => {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
};

const settings = (tableBytes: number): Buffer => {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(HEADER_TABLE_SIZE, 0);
  payload.writeUInt32BE(tableBytes, 2);
  return frame(SETTINGS, 0, 0, payload);
};

const everyByte = Array.from({ length: 0x100 - 0x21 }, (_, at) => String.fromCharCode(0x21 + at))
  .filter((character) => character !== "\x7f")
  .join("");

/** Names and values of one request after the other: some that repeat, some that do not, some large. */
const requests: readonly (readonly (readonly [name: string, value: string])[])[] = Array.from(
  { length: 60 },
  (_, number) => [
    [":method", number % 3 === 0 ? "POST" : "GET"],
    [":scheme", "http"],
    [":authority", `${number % 4}.shop.svc.cluster.local`],
    [":path", number % 2 === 0 ? "/shop.v1.Cart/AddItem" : `/cart/${number}?now`],
    ["authorization", `Bearer ${number}`],
    ["user-agent", "node-peer/1.0"],
    ["x-bytes", everyByte.slice(number % 7)],
    ["x-large", `${number % 5}`.repeat(500 * (number % 9))],
    ["x-wide", `${number}`.repeat(number === 30 ? 20_000 : 1)],
    ["__proto__", `${number % 2}`],
  ],
);

const request = (client: ClientHttp2Session, fields: readonly (readonly [string, string])[]): void => {
  const stream = client.request(Object.assign(fields.flat(), { [sensitiveHeaders]: ["authorization"] }));
  stream.on("error", () => undefined);
  stream.end();
};

test.each([
  ["its default", undefined],
  ["nothing", 0],
  ["a small one", 200],
  ["a large one", 65_536],
])("what Node.js sends is decoded, where it is allowed a table of %s", async (_, tableBytes) => {
  const [near, far] = duplexPair();
  const client = connect("http://shop", {
    createConnection: () => near,
    maxSendHeaderBlockLength: 1_000_000,
    maxDeflateDynamicTableSize: 65_536,
  });
  client.on("error", () => undefined);
  const decoder = new HpackDecoder(tableBytes ?? 4096);
  far.write(tableBytes === undefined ? frame(SETTINGS, 0, 0, Buffer.alloc(0)) : settings(tableBytes));
  await once(client, "remoteSettings");
  for (const fields of requests) request(client, fields);

  const decoded: (readonly Field[])[] = [];
  let block: Buffer[] = [];
  for await (const each of framesOf(far, PREFACE.length)) {
    if (each.type === SETTINGS && each.flags & ACK) decoder.settingsAcknowledged();
    if (each.type !== HEADERS && each.type !== CONTINUATION) continue;
    block.push(fragmentOf(each));
    if ((each.flags & END_HEADERS) === 0) continue;
    const section = decoder.decode(Buffer.concat(block), LIMITS);
    decoded.push(section.kind === "fields" ? section.fields : expect.fail(section.reason));
    block = [];
    if (decoded.length === requests.length) break;
  }
  client.destroy();

  for (const [at, fields] of requests.entries()) {
    const got = decoded[at] ?? [];
    expect(got.map(({ name, value }) => [name, value])).toEqual(fields);
    expect(got.filter((field) => field.isNeverIndexed).map(({ name }) => name)).toEqual(["authorization"]);
  }
});

test.each([
  ["its default", 4096, {}],
  ["nothing", 4096, { headerTableSize: 0 }],
  ["a small one", 4096, { headerTableSize: 200 }],
  ["a large one", 65_536, { headerTableSize: 65_536 }],
  ["a large one, of which we use some", 6000, { headerTableSize: 65_536 }],
] as const)("what we send is decoded by Node.js, where it allows a table of %s", async (_, own, local: Settings) => {
  const [near, far] = duplexPair();
  const server = performServerHandshake(near, {
    settings: { ...local, maxHeaderListSize: 1_000_000 },
    maxSessionMemory: 100,
  });
  server.on("error", () => undefined);
  const received: (readonly [readonly string[], readonly string[]])[] = [];
  const complete = new Promise<void>((resolve, reject) => {
    server.on("close", () => reject(new Error(`closed after ${received.length} requests`)));
    server.on("stream", (stream, headers, _flags, rawHeaders) => {
      stream.on("error", () => undefined);
      received.push([
        [...rawHeaders],
        (headers as { readonly [sensitiveHeaders]?: readonly string[] })[sensitiveHeaders] ?? [],
      ]);
      if (received.length === requests.length) resolve();
    });
  });

  const encoder = new HpackEncoder(own);
  far.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(0))]));
  const { payload } = await firstOf(framesOf(far, 0), ({ type, flags }) => type === SETTINGS && (flags & ACK) === 0);
  for (let at = 0; at < payload.length; at += 6) {
    if (payload.readUInt16BE(at) === HEADER_TABLE_SIZE) encoder.setMaxTableBytes(payload.readUInt32BE(at + 2));
  }
  far.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
  for (const [number, fields] of requests.entries()) {
    const block = encoder.encode(fields.map(([name, value]) => ({ name, value, isNeverIndexed: name === "x-bytes" })));
    const streamId = 2 * number + 1;
    far.write(
      frame(HEADERS, END_STREAM | (block.length <= 16_384 ? END_HEADERS : 0), streamId, block.subarray(0, 16_384)),
    );
    for (let at = 16_384; at < block.length; at += 16_384) {
      const isLast = at + 16_384 >= block.length;
      far.write(frame(CONTINUATION, isLast ? END_HEADERS : 0, streamId, block.subarray(at, at + 16_384)));
    }
  }
  await complete;
  server.removeAllListeners("close");
  server.destroy();

  for (const [at, fields] of requests.entries()) {
    const [rawHeaders = [], sensitive = []] = received[at] ?? [];
    expect(rawHeaders).toEqual(fields.flat());
    expect([...sensitive].sort()).toEqual(["authorization", "x-bytes"]);
  }
});

test("Node.js does not take a reference to what is in no table, as a check that the tests above can fail", async () => {
  const [near, far] = duplexPair();
  const server = performServerHandshake(near);
  server.on("error", () => undefined);
  far.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(0))]));
  far.write(frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.of(0xbe)));
  const { payload } = await firstOf(framesOf(far, 0), ({ type }) => type === GOAWAY);
  expect(payload.readUInt32BE(4)).toBe(constants.NGHTTP2_COMPRESSION_ERROR);
  server.destroy();
});
