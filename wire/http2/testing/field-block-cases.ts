import { FRAME_TYPE } from "../frame-header.ts";
import { type Case, goneWith, many, TAKEN } from "./h2-case.ts";
import { data, GET, get, rawBlock, rawFrame } from "./raw-frames.ts";

const LONG = rawBlock([...GET, ["a", "b".repeat(17_000)]]);
/** `x`, which the table keeps at index 62, of 3,900 bytes. */
const INSERTED = [0x40, 1, 120, 0x7f, 0xbd, 0x1d, ...new Uint8Array(3900).fill(97)];
const hpack = (...bytes: readonly number[]): readonly Uint8Array[] => [rawFrame(FRAME_TYPE.headers, 5, 1, bytes)];

/** Field blocks that a client sends: how they are compressed, cut into frames, and how large they are. */
export const FIELD_BLOCK_CASES: readonly Case[] = [
  { id: "H2-07", what: "index 0", rule: "RFC 7541 6.1", sent: hpack(0x80), ...goneWith(9) },
  { id: "H2-07", what: "an index beyond the tables", rule: "RFC 7541 2.3.3", sent: hpack(0xff, 0x20), ...goneWith(9) },
  {
    id: "H2-07",
    what: "Huffman padding with zeros",
    rule: "RFC 7541 5.2",
    sent: hpack(0x40, 0x81, 0x18, 0x00),
    ...goneWith(9),
  },
  {
    id: "H2-07",
    what: "an integer without end",
    rule: "RFC 7541 5.1",
    sent: hpack(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
    ...goneWith(9),
  },
  {
    id: "H2-07",
    what: "a table larger than allowed",
    rule: "RFC 7541 6.3",
    sent: hpack(0x3f, 0xe2, 0x1f),
    ...goneWith(9),
  },
  {
    id: "H2-07",
    what: "three table updates",
    rule: "RFC 7541 4.2",
    sent: hpack(0x20, 0x20, 0x20, 0x82),
    ...goneWith(9),
  },
  {
    id: "H2-08",
    what: "a thousand references to a field of 3.9 KB, and the table stays in step",
    rule: "10.5.1",
    sent: [
      rawFrame(1, 5, 1, [...rawBlock(GET), ...INSERTED]),
      rawFrame(1, 5, 3, [...rawBlock(GET), ...new Uint8Array(1000).fill(0xbe)]),
      rawFrame(1, 5, 5, [...rawBlock(GET), 0xbe]),
    ],
    calls: [...TAKEN, "request 5 GET shop /", "end 5"],
    answer: ["RST_STREAM 3 code 11"],
  },
  {
    id: "H2-10",
    what: "120 tiny fields",
    rule: "10.5.1",
    sent: [
      get(
        1,
        many(120, (index) => [`a${index}`, ""]),
      ),
    ],
    calls: [],
    answer: ["RST_STREAM 1 code 11"],
  },
  {
    id: "H2-11",
    what: "1000 crumbs of cookie",
    rule: "8.2.3",
    sent: [
      get(
        1,
        many(1000, () => ["cookie", "a=b"]),
      ),
    ],
    calls: [],
    answer: ["RST_STREAM 1 code 11"],
  },
  {
    id: "H2-12",
    what: "200 fields",
    rule: "10.5.1",
    sent: [
      get(
        1,
        many(200, () => ["x", "y"]),
      ),
    ],
    calls: [],
    answer: ["RST_STREAM 1 code 11"],
  },
  {
    id: "H2-12",
    what: "100 fields",
    rule: "10.5.1",
    sent: [
      get(
        1,
        many(96, () => ["x", "y"]),
      ),
    ],
    calls: TAKEN,
    answer: [],
  },
  {
    id: "H2-13",
    what: "a field of 17 KB in two frames",
    rule: "10.5.1",
    sent: [rawFrame(1, 1, 1, LONG.subarray(0, 16_000)), rawFrame(9, 4, 1, LONG.subarray(16_000))],
    calls: [],
    answer: ["RST_STREAM 1 code 11"],
  },
  {
    id: "H2-49",
    what: "an unknown frame within a field block",
    rule: "5.5",
    sent: [rawFrame(1, 0, 1, rawBlock(GET)), rawFrame(0xfa, 0, 1, [])],
    ...goneWith(1),
  },
  { id: "order", what: "CONTINUATION without HEADERS", rule: "6.10", sent: [rawFrame(9, 4, 1, [])], ...goneWith(1) },
  {
    id: "order",
    what: "CONTINUATION of another stream",
    rule: "6.10",
    sent: [rawFrame(1, 0, 1, rawBlock(GET)), rawFrame(9, 4, 3, [])],
    ...goneWith(1),
  },
  {
    id: "order",
    what: "DATA within a field block",
    rule: "4.3",
    sent: [rawFrame(1, 0, 1, rawBlock(GET)), data(1, "x")],
    ...goneWith(1),
  },
];
