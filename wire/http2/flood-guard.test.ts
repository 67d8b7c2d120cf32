import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { FloodGuard } from "./flood-guard.ts";
import { FLOODS } from "./testing/flood-cases.ts";
import {
  data,
  GET,
  get,
  type Pairs,
  ping,
  post,
  rawBlock,
  rawFrame,
  rst,
  settings,
  windowUpdate,
} from "./testing/raw-frames.ts";
import { ScriptedPeer, section } from "./testing/scripted-peer.ts";

const OK: Pairs = [[":status", "200"]];
const CALM = 11;

const id = (index: number): number => 2 * index + 1;

test.each(FLOODS)("$what ends the connection with ENHANCE_YOUR_CALM", ({ first = [], each, most }) => {
  const peer = new ScriptedPeer("server");
  peer.send(...first);
  expect(peer.connection.failure).toBeUndefined();
  let sent = 0;
  for (; sent < 2 * most && !peer.connection.failure; sent++) {
    peer.send(each(sent));
    peer.frames();
  }
  expect([peer.connection.failure?.code, sent]).toEqual([CALM, most]);
});

interface Honest {
  readonly what: string;
  /** @returns what it does within a second */
  readonly second: (peer: ScriptedPeer, at: number) => void;
}

const answered = (stream: ScriptedPeer, index: number): void => {
  stream.send(get(id(index)));
  stream.stream(id(index)).sendHead(section(OK), false);
};

const HONEST: readonly Honest[] = [
  {
    what: "gives up 30 requests a second",
    second: (peer, at) => {
      for (let index = 30 * at; index < 30 * (at + 1); index++) peer.send(get(id(index)), rst(id(index)));
    },
  },
  {
    what: "ends every tunnel with a reset, 200 a second",
    second: (peer, at) => {
      for (let index = 200 * at; index < 200 * (at + 1); index++) {
        answered(peer, index);
        peer.send(rst(id(index)));
      }
    },
  },
  {
    what: "measures its bandwidth with a PING for each frame of DATA, and answers with two WINDOW_UPDATE",
    second: (peer, at) => {
      answered(peer, at);
      for (let frame = 0; frame < 200; frame++) {
        peer.stream(id(at)).write(new Uint8Array(50));
        peer.frames();
        peer.send(ping(), windowUpdate(0, 50), windowUpdate(id(at), 50));
      }
      peer.stream(id(at)).end();
    },
  },
  {
    what: "changes its window ten times a second",
    second: (peer, at) => {
      for (let index = 0; index < 10; index++) peer.send(settings([4, 65_535 + 100 * at + index]));
    },
  },
  {
    what: "makes room for each stream that it opens",
    second: (peer, at) => {
      for (let index = 200 * at; index < 200 * (at + 1); index++) {
        peer.send(get(id(index)), windowUpdate(id(index), 1000), rawFrame(0x10, 0, 0, [0, 0, 0, 1]));
        peer.stream(id(index)).sendHead(section(OK), true);
      }
    },
  },
];

test.each(HONEST)("a peer that $what is left alone for a minute", ({ second }) => {
  const peer = new ScriptedPeer("server");
  for (let at = 0; at < 60; at++) {
    peer.nowMs = at * 1000;
    second(peer, at);
    peer.frames();
    peer.calls.length = 0;
  }
  expect(peer.connection.failure).toBeUndefined();
});

test("an allowance comes back with time, and not above its burst", () => {
  const guard = new FloodGuard(0);
  for (let index = 0; index < 200; index++) guard.spend("ping", 0);
  expect(() => guard.spend("ping", 99)).toThrow("too many: ping");
  for (let index = 0; index < 10; index++) guard.spend("ping", 1100);
  expect(() => guard.spend("ping", 1100)).toThrow("too many: ping");
  for (let index = 0; index < 200; index++) guard.spend("ping", 1_000_000);
  expect(() => guard.spend("ping", 1_000_000)).toThrow("too many: ping");
});

test("a peer that makes us answer and does not read ends; what waited for it is bounded", () => {
  const peer = new ScriptedPeer("server", {
    onEnd: (stream) => stream.sendHead(section([...OK, ["x-long", "y".repeat(500)]]), true),
  });
  peer.connection.setBlocked(true);
  let sent = 0;
  for (; sent < 10_000 && !peer.connection.failure; sent++) peer.send(get(id(sent)));
  expect(peer.connection.failure?.code).toBe(CALM);
  const waiting = peer.connection.takeOutput().reduce((sum, { length }) => sum + length, 0);
  expect(waiting).toBeLessThan(64 * 1024 + 1000);
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const held = (): number => {
  // Twice: the memory of buffers is given back behind the first collection.
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** References to a field of 3.9 KB in the table, as many as the limit of bytes lets through. */
const BOMB = Buffer.concat([rawBlock(GET), new Uint8Array(7).fill(0xbe)]);
const HOLDING: readonly { readonly what: string; readonly fill: (peer: ScriptedPeer) => number }[] = [
  {
    what: "one byte of a frame",
    fill: (peer) => play(peer, Buffer.concat([...Array.from({ length: 90 }, () => ping()), Buffer.of(0)])),
  },
  {
    what: "a frame that comes byte by byte",
    fill: (peer) => {
      const bytes = rawFrame(1, 0, 1, new Uint8Array(16_000)).subarray(0, 15_000);
      for (const byte of bytes) play(peer, Buffer.of(byte));
      return bytes.length;
    },
  },
  {
    what: "a field block that does not end, in small pieces",
    fill: (peer) => {
      let bytes = 0;
      const filler = Array.from({ length: 50 }, () => ping());
      bytes += play(peer, Buffer.concat([...filler, rawFrame(1, 0, 1, [0x82])]));
      for (let index = 0; index < 8; index++) bytes += play(peer, rawFrame(9, 0, 1, [0x82]));
      return bytes;
    },
  },
  {
    what: "H2-09 references to a large field on stalled streams",
    fill: (peer) => {
      let bytes = play(
        peer,
        rawFrame(
          1,
          5,
          1,
          Buffer.concat([rawBlock(GET), Buffer.of(0x40, 1, 120, 0x7f, 0xbd, 0x1d), new Uint8Array(3900).fill(97)]),
        ),
      );
      for (let index = 1; index < 100; index++) bytes += play(peer, rawFrame(1, 4, id(index), BOMB));
      return bytes;
    },
  },
  {
    what: "H2-10 as many fields as are taken on stalled streams",
    fill: (peer) => {
      let bytes = 0;
      const fields: Pairs = [...GET, ...Array.from({ length: 90 }, (_, index): [string, string] => [`a${index}`, ""])];
      for (let index = 0; index < 100; index++) bytes += play(peer, rawFrame(1, 4, id(index), rawBlock(fields)));
      return bytes;
    },
  },
  {
    what: "streams that are opened and closed",
    fill: (peer) => {
      let bytes = 0;
      for (let index = 0; index < 190; index++) bytes += play(peer, Buffer.concat([get(id(index)), rst(id(index))]));
      return bytes;
    },
  },
];
const play = (peer: ScriptedPeer, bytes: Uint8Array): number => {
  peer.send(bytes);
  peer.calls.length = 0;
  return bytes.length;
};

test.each(HOLDING)("bytes held for a byte sent are below 100: $what", ({ fill }) => {
  const COUNT = 20;
  fill(new ScriptedPeer("server"));
  const peers = Array.from({ length: COUNT }, () => new ScriptedPeer("server"));
  const before = held();
  let sent = 0;
  for (const peer of peers) sent += fill(peer);
  const ratio = (held() - before) / sent;
  expect(peers.every(({ connection }) => connection.failure === undefined)).toBe(true);
  expect(ratio).toBeLessThan(100);
});

test("small pieces keep nothing of what was read with them", () => {
  const peers = Array.from({ length: 50 }, () => new ScriptedPeer("server"));
  const before = held();
  for (const peer of peers)
    peer.send(Buffer.concat([post(1), data(1, 16_384), data(1, 16_384), data(1, 16_384), rawFrame(1, 0, 3, [0x82])]));
  for (const peer of peers) peer.calls.length = 0;
  expect((held() - before) / peers.length).toBeLessThan(20_000);
});
