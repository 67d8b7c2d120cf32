import {
  data,
  goAway,
  headers,
  type Pairs,
  ping,
  rawBlock,
  rawFrame,
  rst,
  settings,
  windowUpdate,
} from "#wire/http2/testing/raw-frames.ts";
import type { Target, TargetKind } from "./targets.ts";

/** Something that a peer may send without end. */
export interface Flood {
  readonly id: string;
  readonly title: string;
  /** The attacker's SETTINGS. */
  readonly settings?: readonly (readonly [id: number, value: number])[];
  /** What is sent once on each connection, after SETTINGS. */
  readonly opening?: (target: Target) => readonly Uint8Array[];
  /** The n-th of many. */
  readonly unit: (target: Target, index: number) => Uint8Array;
  /** How many may come before the connection ends: so many are sent where it is measured what we hold of them. */
  readonly held: (target: Target) => number;
  /** What of a unit counts for the windows of the first stream and of the connection, in bytes. */
  readonly flowBytes?: number;
  /** Of the targets, where it makes no sense for both. */
  readonly only?: TargetKind;
  /** Whether the attacker reads what it is answered. */
  readonly reads?: boolean;
  /** Whether units end with {@link held}: the attacker waits a little then, and begins again with another connection. */
  readonly isBounded?: boolean;
}

const id = (index: number): number => 2 * index + 1;
const open = ({ request }: Target, index: number): Uint8Array => headers(id(index), request("held"));
const join = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);
const HEADERS = 1;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;
const MAX_WINDOW = 2 ** 31 - 1;
const INITIAL_WINDOW = 65_535;
const INITIAL_WINDOW_SIZE = 4;

const FIELD_BYTES = 3900;
/** `x: aaa…` into the table (RFC 7541 section 6.2.1), where 0xbe refers to it. */
const LARGE_FIELD = join(Buffer.of(0x40, 1, 120, 0x7f, 0xbd, 0x1d), new Uint8Array(FIELD_BYTES).fill(97));
const REFERENCE = 0xbe;
const fieldsThatFit = ({ sectionBytes }: Target): number => Math.floor((sectionBytes - 500) / (FIELD_BYTES + 33));
const references = (target: Target, index: number, flags: number): Uint8Array =>
  rawFrame(
    HEADERS,
    flags,
    id(index + 1),
    join(rawBlock(target.request("held")), new Uint8Array(fieldsThatFit(target)).fill(REFERENCE)),
  );
const learnField = (target: Target): Uint8Array =>
  rawFrame(HEADERS, END_HEADERS | END_STREAM, 1, join(rawBlock(target.request("held")), LARGE_FIELD));
const MANY_FIELDS: Pairs = Array.from({ length: 45 }, (_, index) => [`a${index}`, ""] as const);

const largeAnswer = (target: Target, index: number): Uint8Array =>
  headers(id(index), target.request("large"), target.kind === "http2");
const streams = ({ streams }: Target): number => streams;
const times =
  (count: number): (() => number) =>
  () =>
    count;

/** The same numbers as the rows of the cases in wire/http2. */
export const FLOODS: readonly Flood[] = [
  {
    id: "rapid-reset",
    title: "H2-01 rapid reset",
    unit: (target, index) => join(open(target, index), rst(id(index))),
    held: times(190),
  },
  {
    id: "made-you-reset",
    title: "H2-02 MadeYouReset, WINDOW_UPDATE of 0",
    unit: (target, index) => join(open(target, index), windowUpdate(id(index), 0)),
    held: times(190),
  },
  {
    id: "refused-streams",
    title: "H2-03 streams over the limit",
    opening: (target) => Array.from({ length: target.streams }, (_, index) => open(target, index)),
    unit: (target, index) => open(target, index + target.streams),
    held: times(190),
  },
  {
    id: "continuation",
    title: "H2-05 CONTINUATION of 1 KB",
    opening: (target) => [rawFrame(HEADERS, 0, 1, rawBlock(target.request("held")))],
    unit: () => CONTINUATION_OF_1_KB,
    held: ({ continuations }) => continuations,
  },
  {
    id: "bomb",
    title: "H2-09 heads of references, reset at once",
    opening: (target) => [learnField(target)],
    unit: (target, index) => join(references(target, index, END_HEADERS), rst(id(index + 1))),
    held: times(150),
  },
  {
    id: "stalled-bombs",
    title: "H2-09 heads of references, on streams that stay",
    opening: (target) => [learnField(target)],
    unit: (target, index) => references(target, index, END_HEADERS),
    held: (target) => target.streams - 1,
    isBounded: true,
  },
  {
    id: "many-fields",
    title: "H2-10 many tiny fields, on streams that stay",
    unit: (target, index) => headers(id(index), [...target.request("held"), ...MANY_FIELDS]),
    held: streams,
    isBounded: true,
  },
  { id: "ping", title: "H2-15 PING", unit: () => PING, held: times(190), reads: true },
  { id: "unread-ping", title: "H2-15 PING, answers not read", unit: () => PING, held: times(190) },
  { id: "settings", title: "H2-15 SETTINGS", unit: (_, index) => SETTINGS[index % 2] ?? PING, held: times(90) },
  { id: "priority", title: "H2-16 PRIORITY", unit: () => PRIORITY, held: times(490) },
  { id: "window-update", title: "H2-17 WINDOW_UPDATE", unit: () => GROW, held: times(990) },
  { id: "unknown-frames", title: "H2-18 unknown frames", unit: () => UNKNOWN, held: times(190) },
  { id: "goaway", title: "GOAWAY", unit: () => GO_AWAY, held: times(19) },
  {
    id: "empty-data",
    title: "H2-19 empty DATA",
    opening: (target) => [headers(1, target.request("read"))],
    unit: () => EMPTY_DATA,
    held: times(90),
  },
  {
    id: "padded-bytes",
    title: "H2-20 DATA of a byte and 255 of padding, read",
    opening: (target) => [headers(1, target.request("read"))],
    unit: () => PADDED_BYTE,
    held: times(250),
    flowBytes: 257,
    reads: true,
  },
  {
    id: "bytes",
    title: "H2-20 DATA of a byte, read",
    opening: (target) => [headers(1, target.request("read"))],
    unit: () => BYTE,
    held: times(60_000),
    flowBytes: 1,
    reads: true,
  },
  {
    id: "held-bytes",
    title: "H2-20 DATA of a byte, not read",
    opening: (target) => [headers(1, target.request("held"))],
    unit: () => BYTE,
    held: times(60_000),
    flowBytes: 1,
    reads: true,
    isBounded: true,
  },
  {
    id: "zero-window",
    title: "H2-21 large answers, windows of 0",
    settings: [[INITIAL_WINDOW_SIZE, 0]],
    unit: largeAnswer,
    held: streams,
    reads: true,
    isBounded: true,
  },
  {
    id: "slow-reader",
    title: "H2-21 large answers, large windows, not read",
    settings: [[INITIAL_WINDOW_SIZE, MAX_WINDOW]],
    opening: () => [windowUpdate(0, MAX_WINDOW - INITIAL_WINDOW)],
    unit: largeAnswer,
    held: streams,
    isBounded: true,
  },
  {
    id: "requests",
    title: "no flood: requests with heads of 32 KB, answered and read",
    opening: (target) => [learnField(target)],
    unit: (target, index) => references(target, index, END_HEADERS | END_STREAM),
    held: times(1),
    only: "http2",
    reads: true,
  },
];

const CONTINUATION_OF_1_KB = rawFrame(CONTINUATION, 0, 1, rawBlock([["x", "y".repeat(1000)]]));
const PING = ping();
const SETTINGS = [settings([INITIAL_WINDOW_SIZE, 65_535]), settings([INITIAL_WINDOW_SIZE, 70_000])];
const PRIORITY = rawFrame(2, 0, 1, [0, 0, 0, 0, 1]);
const GROW = windowUpdate(0, 1);
const UNKNOWN = rawFrame(0x42, 0, 0);
const GO_AWAY = goAway(0);
const EMPTY_DATA = data(1, 0);
const PADDED_BYTE = rawFrame(0, PADDED, 1, [255, 7, ...new Uint8Array(255)]);
const BYTE = data(1, 1);
