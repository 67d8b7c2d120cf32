import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Field } from "../field.ts";
import { ERROR_CODE } from "./error-code.ts";
import { Http2ConnectionError } from "./http2-error.ts";
import type { Http2Stream, StreamHandler } from "./stream.ts";
import { ConnectedPair } from "./testing/connected-pair.ts";
import {
  data,
  GET,
  get,
  headers,
  type Pairs,
  ping,
  post,
  POST,
  rawFrame,
  rst,
  settings,
  windowUpdate,
} from "./testing/raw-frames.ts";
import { type Script, ScriptedPeer, section } from "./testing/scripted-peer.ts";
import { TEST_LIMITS, testLimits } from "./testing/test-limits.ts";

const OK: Pairs = [[":status", "200"]];

describe("a client and a server in memory", () => {
  interface Exchange {
    readonly request: Uint8Array;
    readonly response: Uint8Array;
    readonly trailers: boolean;
  }

  /** Reads at once; writes all, and waits where it is told to. */
  const collecting = (
    stream: Http2Stream,
    done: (body: Uint8Array, trailers: readonly Field[] | undefined) => void,
  ): StreamHandler => {
    const pieces: Uint8Array[] = [];
    return {
      response: () => undefined,
      data: (bytes) => {
        pieces.push(Uint8Array.from(bytes));
        stream.consumed(bytes.length);
      },
      end: (trailers) => done(Buffer.concat(pieces), trailers),
      writable: () => undefined,
      reset: (code) => {
        throw new Error(`reset with ${code}`);
      },
    };
  };
  const TRAILERS = section([["grpc-status", "0"]]);

  test("what one side sends the other gets, whatever the sizes and splits; and both are left without streams", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 50 }),
      fc.integer({ min: 0, max: 200_000 }).map((length) => new Uint8Array(length).fill(length)),
    );
    const exchange: fc.Arbitrary<Exchange> = fc.record({ request: bytes, response: bytes, trailers: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(exchange, { minLength: 1, maxLength: 6 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40_000 })),
        (exchanges, sizes) => {
          const got: (readonly [what: string, difference: number, hasTrailers?: boolean])[] = [];
          const pair = new ConnectedPair(
            TEST_LIMITS,
            {
              request: (stream, { path }) => {
                const { request, response, trailers } = exchanges[Number(path?.slice(1))] as Exchange;
                return collecting(stream, (body) => {
                  got.push(["request", Buffer.compare(body, request)]);
                  stream.sendHead(section(OK), false);
                  stream.write(response);
                  stream.end(trailers ? TRAILERS : undefined);
                });
              },
            },
            {},
            () => sizes.next().value,
          );
          for (const [index, { request, response, trailers }] of exchanges.entries()) {
            const stream = pair.client.open(section([...POST.slice(0, 3), [":path", `/${index}`]]), false, (own) =>
              collecting(own, (body, its) =>
                got.push(["response", Buffer.compare(body, response), (its?.length === 1) === trailers]),
              ),
            );
            stream.write(request);
            stream.end();
          }
          pair.settle();
          expect(got.filter(([what]) => what === "request")).toEqual(exchanges.map(() => ["request", 0]));
          expect(got.filter(([what]) => what === "response")).toEqual(exchanges.map(() => ["response", 0, true]));
          expect([pair.client.openStreams, pair.server.openStreams, pair.client.failure, pair.server.failure]).toEqual([
            0,
            0,
            undefined,
            undefined,
          ]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a reader that does not read stops the writer at the window, and nobody else", () => {
    const done: number[] = [];
    const pair = new ConnectedPair(testLimits({ connectionWindow: 262_144 }), {
      request: (stream, { path }) =>
        path === "/slow"
          ? { ...collecting(stream, () => undefined), data: () => undefined }
          : collecting(stream, ({ length }) => done.push(length)),
    });
    const slow = pair.client.open(section([...POST.slice(0, 3), [":path", "/slow"]]), false, (own) =>
      collecting(own, () => undefined),
    );
    slow.write(new Uint8Array(300_000));
    const fast = pair.client.open(section(POST), false, (own) => collecting(own, () => undefined));
    fast.write(new Uint8Array(500_000));
    fast.end();
    pair.settle();
    expect([slow.queuedBytes, done]).toEqual([300_000 - 65_535, [500_000]]);
  });

  test("a drain of the server loses no request that the client sent before it knew", () => {
    const answered: number[] = [];
    const pair = new ConnectedPair(TEST_LIMITS, {
      request: (stream) => collecting(stream, () => stream.sendHead(section(OK), true)),
    });
    pair.settle();
    const ask = (): void => {
      pair.client.open(section(GET), true, (own) => collecting(own, () => answered.push(own.id)));
    };
    ask();
    pair.server.drain();
    ask();
    ask();
    pair.settle();
    expect(answered).toEqual([1, 3, 5]);
    expect([pair.client.isDrained, pair.server.isDrained, pair.client.room]).toEqual([true, true, 0]);
  });
});

describe("handlers may do anything from within", () => {
  const fail = (peer: ScriptedPeer): void => peer.connection.fail(new Http2ConnectionError(ERROR_CODE.noError, "over"));
  const afterAll = [get(5), ping(), settings([3, 7])];
  type When = keyof Omit<Script, "limits" | "isGreeted" | "onResponse" | "onReady">;
  const INPUT = [post(1), post(3), data(1, "abc"), data(3, "", true), windowUpdate(1, 100), rst(1)] as const;
  const WHEN: readonly When[] = ["onRequest", "onData", "onEnd", "onWritable", "onReset", "onStreamClosed"];

  const played = (when: When, act: (stream: Http2Stream, peer: ScriptedPeer) => void): ScriptedPeer => {
    let isFirst = true;
    const peer: ScriptedPeer = new ScriptedPeer("server", {
      [when]: (stream: Http2Stream) => {
        if (!isFirst) return;
        isFirst = false;
        act(stream, peer);
      },
    });
    peer.send(INPUT[0], INPUT[1]);
    const first = peer.streams.get(1);
    if (first?.state === "open") {
      first.sendHead(section(OK), false);
      first.write(new Uint8Array(65_535 + 65_536));
      peer.frames();
      peer.send(windowUpdate(0, 2 ** 20), windowUpdate(1, 60_000));
    }
    peer.send(...INPUT.slice(2), ...afterAll);
    return peer;
  };

  test.each(WHEN)("%s ends the connection: nothing that follows is taken, and every stream is told", async (when) => {
    const peer = played(when, (_, peer) => fail(peer));
    await Promise.resolve();
    const sent = peer.sent();
    expect(sent.filter((frame) => frame.startsWith("GOAWAY")).length).toBe(1);
    expect(sent.at(-1)).toMatch(/^GOAWAY/);
    expect(peer.connection.openStreams).toBe(0);
    const opened = [...peer.streams.keys()];
    const closed = opened.map((id) => peer.calls.filter((call) => call === `closed ${id}`).length);
    const told = opened.map((id) => peer.calls.filter((call) => call.startsWith(`reset ${id} `)).length);
    expect([closed, told]).toEqual([opened.map(() => 1), opened.map(() => 1)]);
    expect(peer.calls).not.toContain("request 5 GET shop /");
  });

  test.each(WHEN)("%s resets its stream: nothing more is told of it, and the others go on", (when) => {
    const peer = played(when, (stream) => stream.reset(ERROR_CODE.cancel));
    expect(peer.connection.failure).toBeUndefined();
    expect(peer.calls).toContain("request 5 GET shop /");
  });

  test.each(WHEN)("%s writes, ends and resets", (when) => {
    const peer = played(when, (stream) => {
      if (stream.state !== "open" && stream.state !== "half-closed-remote") return;
      stream.sendHead(section(OK), false);
      stream.write(new Uint8Array(1000));
      stream.end();
      stream.reset(ERROR_CODE.noError);
    });
    expect(peer.connection.failure).toBeUndefined();
    expect(peer.calls).toContain("request 5 GET shop /");
  });

  test.each(WHEN)("%s throws: the connection ends, and the error comes out", (when) => {
    const boom = new Error("boom");
    let peer: ScriptedPeer | undefined;
    const play = (): unknown =>
      played(when, (_, own) => {
        peer = own;
        throw boom;
      });
    expect(play).toThrow(boom);
    expect(peer?.connection.failure?.code).toBe(ERROR_CODE.internalError);
    expect(peer?.connection.openStreams).toBe(0);
    peer?.send(...afterAll);
    expect(peer?.sent().at(-1)).toMatch(/^GOAWAY/);
  });

  test("a client that does without the rest of its request, as the server has answered and reset the stream, answers no reset", () => {
    const peer = new ScriptedPeer("client", { onEnd: (stream) => stream.reset(ERROR_CODE.cancel) });
    peer.open(POST);
    peer.frames();
    peer.send(headers(1, [...OK, ["content-length", "2"]]), data(1, "ab"), rst(1, ERROR_CODE.noError));
    expect([peer.calls.slice(2), peer.sent()]).toEqual([["end 1", "closed 1"], []]);
  });

  test("a client opens streams from within every callback, in the order of their numbers", () => {
    let opened = 0;
    const more = (): void => {
      if (peer.connection.room > 0 && opened++ < 20) peer.open(GET, true);
    };
    const peer: ScriptedPeer = new ScriptedPeer("client", {
      onResponse: more,
      onData: more,
      onEnd: more,
      onReset: more,
      onStreamClosed: more,
      onReady: () => undefined,
    });
    more();
    for (let id = 1; id < 20; id += 4) peer.send(headers(id, OK), data(id, "x", true), rst(id + 2));
    const ids = peer.frames().flatMap(({ type, streamId }) => (type === 1 ? [streamId] : []));
    expect(ids).toEqual(Array.from({ length: 20 }, (_, index) => 2 * index + 1));
  });

  test("a stream that is reset by whoever makes its handler was sent before", () => {
    const peer = new ScriptedPeer("client");
    peer.connection.open(section(GET), false, (stream) => {
      stream.reset(ERROR_CODE.cancel);
      return { data: () => undefined, end: () => undefined, writable: () => undefined, reset: () => undefined };
    });
    expect(peer.sent()).toEqual(["HEADERS 1", "RST_STREAM 1 code 8"]);
  });
});

test("a section that cannot be sent opens no stream, and the next one can", () => {
  const peer = new ScriptedPeer("client");
  expect(() => peer.open([...GET, ["x", "\u{1f642}"]])).toThrow(RangeError);
  expect([peer.connection.openStreams, peer.sent()]).toEqual([0, []]);
  peer.open(GET, true);
  expect(peer.sent()).toEqual(["HEADERS 1 END_STREAM"]);
});

test("a head counts also where nobody wants to know of it", () => {
  const peer = new ScriptedPeer("client");
  let ended = 0;
  const handler = { data: () => undefined, end: () => ended++, writable: () => undefined, reset: () => undefined };
  peer.connection.open(section(GET), true, () => handler);
  peer.send(headers(1, OK), data(1, "x", true));
  expect([ended, peer.connection.openStreams]).toEqual([1, 0]);
});

test("a server opens no streams: push is refused", () => {
  const peer = new ScriptedPeer("server");
  expect(peer.connection.room).toBe(0);
  expect(() => peer.open(OK)).toThrow("no room");
});

test("what is our own mistake throws: to write after the end, to send a head after it", () => {
  const peer = new ScriptedPeer("server");
  peer.send(post(1), post(3));
  for (const id of [1, 3]) peer.stream(id).sendHead(section(OK), false);
  peer.stream(1).end();
  peer.stream(1).end();
  expect(() => peer.stream(1).write(Uint8Array.of(1))).toThrow("after its end");
  expect(() => peer.stream(1).sendHead(section(OK), false)).toThrow("half-closed-local");
  peer.stream(3).reset(8);
  expect(peer.stream(3).write(Uint8Array.of(1))).toBe(true);
});

test("the peer's settings, the first of them told once", () => {
  let told = 0;
  const peer = new ScriptedPeer("client", { isGreeted: false, onReady: () => void told++ });
  expect([peer.connection.isReady, peer.connection.room]).toEqual([false, 100]);
  peer.send(settings([8, 1]), settings([3, 5]));
  expect([
    peer.connection.isReady,
    told,
    peer.connection.peerSettings.enableConnectProtocol,
    peer.connection.room,
  ]).toEqual([true, 1, true, 5]);
});

test("a field block that has begun is known by its stream until it is complete", () => {
  const peer = new ScriptedPeer("server");
  peer.send(rawFrame(1, 0, 7, [0x82]));
  expect(peer.connection.openFieldBlock).toBe(7);
  peer.send(rawFrame(9, 4, 7, [0x86, 0x84, 0x01, 1, 97]));
  expect([peer.connection.openFieldBlock, peer.calls]).toEqual([undefined, ["request 7 GET a /"]]);
});

test("a PING of ours is answered", () => {
  const peer = new ScriptedPeer("server");
  peer.connection.ping();
  const [asked] = peer.frames();
  peer.send(rawFrame(6, 1, 0, asked?.payload ?? []), ping(0, 1));
  expect(peer.calls).toEqual(["pong"]);
});
