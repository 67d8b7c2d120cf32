import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  data,
  GET,
  get,
  goAway,
  headers,
  type Pairs,
  ping,
  post,
  rawBlock,
  rawFrame,
  rst,
  settings,
  SETTINGS_ACK,
  windowUpdate,
} from "./testing/raw-frames.ts";
import { ScriptedPeer, section } from "./testing/scripted-peer.ts";

const OK: Pairs = [[":status", "200"]];
const id = fc.integer({ min: 0, max: 12 });
const uint31 = fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 0, max: 2 ** 31 - 1 }));
const fields: fc.Arbitrary<Pairs> = fc.constantFrom<Pairs[]>(
  GET,
  OK,
  [[":status", "103"]],
  [["x", "y"]],
  [...GET, ["content-length", "5"]],
  [
    [":method", "CONNECT"],
    [":authority", "a:1"],
  ],
);

/** A frame that is right in itself, on any stream at any time. */
const validFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.tuple(id, fc.boolean(), fields).map(([id, end, fields]) => headers(id, fields, end)),
  fc.tuple(id, fields).map(([id, fields]) => Buffer.concat([rawFrame(1, 0, id, rawBlock(fields)), rawFrame(9, 4, id)])),
  fc.tuple(id, fc.nat(40), fc.boolean()).map(([id, length, end]) => data(id, length, end)),
  fc.tuple(id, fc.nat(20)).map(([id, pad]) => rawFrame(0, 8, id, [pad, ...new Uint8Array(pad + 3)])),
  fc.tuple(id, uint31).map(([id, code]) => rst(id, code)),
  fc.tuple(id, uint31).map(([id, increment]) => windowUpdate(id, increment)),
  fc.tuple(fc.integer({ min: 0, max: 10 }), uint31).map((pair) => settings(pair)),
  fc.tuple(id, uint31).map(([last, code]) => goAway(last, code)),
  fc.nat(255).map((first) => ping(first)),
  fc.nat(3).map((first) => ping(first, 1)),
  fc.constant(SETTINGS_ACK),
  id.map((id) => rawFrame(2, 0, id, [0, 0, 0, 0, 1])),
  id.map((id) => rawFrame(5, 4, id, [0, 0, 0, 2])),
  fc
    .tuple(fc.integer({ min: 10, max: 255 }), fc.nat(255), id)
    .map(([type, flags, id]) => rawFrame(type, flags, id, [1, 2, 3])),
);

/** What an honest client sends: the frames of a few requests, in order. */
const honest: readonly Uint8Array[] = [
  get(1),
  post(3, [["content-length", "6"]]),
  data(3, "abc"),
  windowUpdate(0, 10),
  post(5),
  data(3, "def", true),
  data(5, 20_000 % 16_384),
  rawFrame(1, 0, 7, rawBlock(GET).subarray(0, 10)),
  rawFrame(9, 5, 7, rawBlock(GET).subarray(10)),
  ping(),
  headers(5, [["x", "y"]], true),
  rst(7),
  post(9),
  settings([4, 10]),
];

/** Answers requests, so that streams get to every state. */
const makePeer = (role: "client" | "server"): ScriptedPeer => {
  const peer = new ScriptedPeer(role, {
    onRequest: (stream) => {
      stream.sendHead(section(OK), false);
      if (stream.id % 4 === 1) stream.write(new Uint8Array(100));
    },
    onEnd: (stream) => stream.end(),
    onData: (stream, { length }) => stream.consumed(length),
  });
  if (role === "client") for (let count = 0; count < 4; count++) peer.open(GET, count % 2 === 0);
  return peer;
};

const STATES = ["open", "half-closed-local", "half-closed-remote", "ended", "reset-by-us", "reset-by-peer"];

/** No state outside of the table, every stream told of its end once and of nothing after it. */
const check = (peer: ScriptedPeer): void => {
  let open = 0;
  for (const [streamId, { state }] of peer.streams) {
    expect(STATES).toContain(state);
    const isOpen = !["ended", "reset-by-us", "reset-by-peer"].includes(state);
    if (isOpen) open++;
    const ends = peer.calls.filter((call) => call === `closed ${streamId}`).length;
    expect(ends).toBe(isOpen ? 0 : 1);
    expect(
      peer.calls.filter((call) => call.startsWith(`reset ${streamId} `) || call.startsWith(`end ${streamId}`)).length,
    ).toBeLessThanOrEqual(2);
    const reset = peer.calls.findIndex((call) => call.startsWith(`reset ${streamId} `));
    const later = peer.calls
      .slice(reset + 1)
      .filter((call) => !call.startsWith("goaway") && call.split(" ")[1] === String(streamId));
    if (reset !== -1) expect(later).toEqual([]);
  }
  expect(peer.connection.openStreams).toBe(open);
};

const roles = fc.constantFrom("client" as const, "server" as const);

test("any order of right frames is taken or is the peer's fault, and leaves streams in their table", () => {
  fc.assert(
    fc.property(roles, fc.array(validFrame, { maxLength: 40 }), (role, frames) => {
      const peer = makePeer(role);
      for (const frame of frames) peer.send(frame);
      check(peer);
      peer.frames();
    }),
    { numRuns: 300 },
  );
});

test("bytes that are changed, cut or inserted anywhere are taken or are the peer's fault", () => {
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255), how: fc.constantFrom("replace", "insert", "remove") });
  fc.assert(
    fc.property(
      roles,
      fc.array(validFrame, { maxLength: 15 }),
      fc.array(change, { minLength: 1, maxLength: 5 }),
      (role, frames, changes) => {
        const bytes = Array.from(Buffer.concat(role === "server" ? [...honest, ...frames] : frames));
        for (const { at, byte, how } of changes) {
          bytes.splice(at % (bytes.length + 1), how === "insert" ? 0 : 1, ...(how === "remove" ? [] : [byte]));
        }
        const peer = makePeer(role);
        peer.send(Buffer.from(bytes));
        check(peer);
        peer.frames();
      },
    ),
    { numRuns: 300 },
  );
});

/** The calls, with DATA that came in pieces in one. */
const joined = (calls: readonly string[]): readonly string[] => {
  const out: string[] = [];
  for (const call of calls) {
    const [, head, rest] = /^(data \d+ )(.*)$/s.exec(call) ?? [];
    const last = out.at(-1);
    if (head !== undefined && last?.startsWith(head)) out[out.length - 1] = last + (rest ?? "");
    else out.push(call);
  }
  return out;
};

test("any split of the bytes gives the same calls and the same answer", () => {
  const frames = fc.oneof(fc.constant(honest), fc.array(validFrame, { maxLength: 25 }));
  fc.assert(
    fc.property(roles, frames, fc.array(fc.nat(), { maxLength: 60 }), (role, frames, splits) => {
      const bytes = Buffer.concat(frames);
      const whole = makePeer(role);
      whole.send(bytes);
      const split = makePeer(role);
      let from = 0;
      for (const to of [...splits.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
        const chunk = Buffer.from(bytes.subarray(from, to));
        split.send(chunk);
        from = to;
      }
      expect(joined(split.calls)).toEqual(joined(whole.calls));
      expect(split.sent()).toEqual(whole.sent());
    }),
    { numRuns: 200 },
  );
});
