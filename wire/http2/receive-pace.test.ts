import { expect, test } from "vitest";
import { data, get, GET, headers, type Pairs, post, rawBlock, rawFrame, rst } from "./testing/raw-frames.ts";
import { ScriptedPeer, section } from "./testing/scripted-peer.ts";

const OK = section([[":status", "200"]]);
const id = (index: number): number => 2 * index + 1;
/** As much as one event of a socket may bring: 32 reads of 64 KiB. */
const READ_BYTES = 2 * 1024 * 1024;

/** `x: aaa…` of 3.9 KB into the table, where 0xbe refers to it. */
const LEARN = rawFrame(
  1,
  5,
  1,
  Buffer.concat([rawBlock(GET), Buffer.of(0x40, 1, 120, 0x7f, 0xbd, 0x1d), new Uint8Array(3900).fill(97)]),
);
const BOMB = Buffer.concat([rawBlock(GET), new Uint8Array(7).fill(0xbe)]);
const MANY: Pairs = Array.from({ length: 90 }, (_, index) => [`a${index}`, ""] as const);

interface Work {
  readonly what: string;
  readonly first?: Uint8Array;
  readonly each: (index: number) => Uint8Array;
  /** How often it may be done in one turn. */
  readonly most: number;
}

const WORK: readonly Work[] = [
  { what: "requests", each: (index) => get(id(index)), most: 64 },
  { what: "requests that are reset", each: (index) => Buffer.concat([get(id(index)), rst(id(index))]), most: 64 },
  { what: "heads of references", first: LEARN, each: (index) => rawFrame(1, 5, id(index + 1), BOMB), most: 25 },
  {
    what: "heads that are too large",
    first: LEARN,
    each: (index) => rawFrame(1, 5, id(index + 1), TOO_LARGE),
    most: 16,
  },
  { what: "heads of many fields", each: (index) => headers(id(index), [...GET, ...MANY], true), most: 18 },
  { what: "DATA of a byte", first: post(1), each: () => data(1, 1), most: 512 },
];
const TOO_LARGE = Buffer.concat([rawBlock(GET), new Uint8Array(500).fill(0xbe)]);

test.each(WORK)("$what: a peer has no more done in one turn than others may wait for", ({ first, each, most }) => {
  const peer = new ScriptedPeer("server", {
    onData: (stream, { length }) => stream.consumed(length),
    onEnd: (stream) => stream.sendHead(OK, true),
  });
  if (first) peer.send(first);
  const units: Uint8Array[] = [];
  for (let bytes = 0; bytes < READ_BYTES && units.length < 4 * most; bytes += each(0).length) {
    units.push(each(units.length));
  }
  const bytes = Buffer.concat(units);
  const taken = peer.connection.receive(bytes, 0);
  const unitBytes = bytes.length / units.length;
  expect(taken / unitBytes).toBeLessThanOrEqual(most);
  expect(taken).toBeGreaterThan(0);
});

test("what is left is taken in later turns, with nothing lost or done twice", () => {
  const peer = new ScriptedPeer("server", { onEnd: (stream) => stream.sendHead(OK, true) });
  let rest = Buffer.concat(Array.from({ length: 1_000 }, (_, index) => get(id(index))));
  let turns = 0;
  for (; rest.length > 0; turns++) rest = rest.subarray(peer.connection.receive(rest, 0));
  expect(turns).toBeGreaterThan(10);
  expect(peer.calls.filter((call) => call.startsWith("request"))).toEqual(
    Array.from({ length: 1_000 }, (_, index) => `request ${id(index)} GET shop /`),
  );
});

test("bulk is not slowed down: DATA of full frames fill a turn only after megabytes", () => {
  const peer = new ScriptedPeer("server", { onData: (stream, { length }) => stream.consumed(length) });
  peer.send(post(1));
  const frames = Buffer.concat([data(1, 16_384), data(1, 16_384)]);
  for (let count = 0; count < 50; count++) expect(peer.connection.receive(frames, 0)).toBe(frames.length);
});
