import {
  data,
  GET,
  get,
  goAway,
  ping,
  post,
  rawBlock,
  rawFrame,
  rst,
  settings,
  SETTINGS_ACK,
  windowUpdate,
} from "./raw-frames.ts";

/** What is sent again and again until the connection ends with ENHANCE_YOUR_CALM. */
export interface Flood {
  readonly what: string;
  /** What opens it, once. */
  readonly first?: readonly Uint8Array[];
  /** The n-th of many. */
  readonly each: (index: number) => Uint8Array;
  /** How many it takes. The first SETTINGS of a peer count as well; the first ACK is due. */
  readonly most: number;
}

const id = (index: number): number => 2 * index + 1;

export const FLOODS: readonly Flood[] = [
  { what: "H2-01 rapid reset", each: (index) => Buffer.concat([get(id(index)), rst(id(index))]), most: 201 },
  {
    what: "H2-02 MadeYouReset by WINDOW_UPDATE of 0",
    each: (index) => Buffer.concat([post(id(index)), windowUpdate(id(index), 0)]),
    most: 201,
  },
  {
    what: "H2-02 MadeYouReset by PRIORITY",
    each: (index) => Buffer.concat([post(id(index)), rawFrame(2, 0, id(index), [0])]),
    most: 201,
  },
  {
    what: "H2-02 MadeYouReset by a window's overflow",
    each: (index) => Buffer.concat([post(id(index)), windowUpdate(id(index), 2 ** 31 - 1)]),
    most: 201,
  },
  {
    what: "H2-02 MadeYouReset by DATA after the end",
    each: (index) => Buffer.concat([get(id(index)), data(id(index), "x")]),
    most: 201,
  },
  { what: "H2-02 MadeYouReset by malformed requests", each: (index) => get(id(index), [["te", "gzip"]]), most: 201 },
  {
    what: "H2-03 streams over the limit",
    first: Array.from({ length: 100 }, (_, index) => post(id(index))),
    each: (index) => get(id(100 + index)),
    most: 201,
  },
  {
    what: "H2-05 CONTINUATION of 1 KB",
    first: [rawFrame(1, 0, 1, rawBlock(GET))],
    each: () => rawFrame(9, 0, 1, rawBlock([["x", "y".repeat(1000)]])),
    most: 9,
  },
  { what: "H2-05 empty CONTINUATION", first: [rawFrame(1, 0, 1, [])], each: () => rawFrame(9, 0, 1, []), most: 9 },
  {
    what: "H2-05 a block beyond 32 KB",
    first: [rawFrame(1, 0, 1, new Uint8Array(16_384))],
    each: () => rawFrame(9, 0, 1, new Uint8Array(16_384)),
    most: 2,
  },
  { what: "H2-15 PING", each: () => ping(), most: 201 },
  { what: "H2-15 PING ACK that nobody asked for", each: () => ping(1, 1), most: 201 },
  { what: "H2-15 SETTINGS", each: () => settings([4, 65_535]), most: 100 },
  { what: "H2-15 SETTINGS ACK that nobody waits for", each: () => SETTINGS_ACK, most: 101 },
  {
    what: "H2-15 100 settings in a frame",
    each: () => settings(...Array.from({ length: 100 }, () => [4, 1] as const)),
    most: 1,
  },
  { what: "GOAWAY", each: () => goAway(7), most: 21 },
  { what: "H2-16 PRIORITY", each: (index) => rawFrame(2, 0, id(index), [0, 0, 0, 0, 1]), most: 501 },
  { what: "H2-17 WINDOW_UPDATE", each: () => windowUpdate(0, 1), most: 1001 },
  { what: "H2-18 unknown frames", each: (index) => rawFrame(0x20 + (index % 100), 0, 0), most: 201 },
  { what: "H2-19 empty DATA", first: [post(1)], each: () => data(1, ""), most: 101 },
  { what: "H2-19 DATA of nothing but padding", first: [post(1)], each: () => rawFrame(0, 8, 1, [2, 0, 0]), most: 101 },
];
