import { Duplex, duplexPair } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";
import {
  data,
  GET,
  get,
  goAway,
  headers,
  type Pairs,
  ping,
  post,
  rawFrame,
  settings,
  splitFrames,
} from "#wire/http2/testing/raw-frames.ts";
import { section } from "#wire/http2/testing/scripted-peer.ts";
import { testLimits } from "#wire/http2/testing/test-limits.ts";
import { FakeByteStream } from "../testing/fake-byte-stream.ts";
import { APPLICATION_PATIENCE, HTTP2_LIMITS } from "./http2-limits.ts";
import { type Http2Patience, Http2Transport, type Http2TransportHandler } from "./http2-transport.ts";

const { limits, patience } = HTTP2_LIMITS;
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const OK: Pairs = [[":status", "200"]];
const NOTHING: StreamHandler = {
  data: () => undefined,
  end: () => undefined,
  writable: () => undefined,
  reset: () => undefined,
};

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

interface Play {
  readonly role?: "client" | "server";
  readonly patience?: Http2Patience;
  readonly handler?: Partial<Http2TransportHandler>;
  readonly isGreeted?: boolean;
}

/** A transport whose other end is in the test's hand. */
const play = async ({ role = "server", patience: its = patience, handler, isGreeted = true }: Play = {}) => {
  const [ours, theirs] = duplexPair();
  const closed: string[] = [];
  const streams: Http2Stream[] = [];
  const transport = new Http2Transport(ours, role, limits, its, {
    request: (stream) => {
      streams.push(stream);
      return NOTHING;
    },
    ready: () => undefined,
    goAway: () => undefined,
    streamClosed: () => undefined,
    closed: (reason) => closed.push(reason),
    ...handler,
  });
  const got: Buffer[] = [];
  let isEnded = false;
  theirs.on("data", (chunk: Buffer) => got.push(chunk));
  theirs.on("end", () => (isEnded = true));
  theirs.on("error", () => undefined);
  const send = async (...pieces: readonly Uint8Array[]): Promise<void> => {
    theirs.write(Buffer.concat(pieces));
    await turns();
  };
  if (isGreeted) await send(...(role === "server" ? [PREFACE] : []), settings());
  const frames = async () => {
    await turns();
    return splitFrames(Buffer.concat(got.splice(0)).subarray(role === "client" && !hasPreface ? PREFACE.length : 0));
  };
  let hasPreface = role === "server";
  await frames();
  hasPreface = true;
  return { transport, theirs, closed, streams, send, frames, isEnded: () => isEnded };
};

/** Enough turns of the event loop for whatever goes to and fro in memory. */
const turns = async (): Promise<void> => {
  for (let count = 0; count < 10; count++) await turn();
};

const has = (frames: Awaited<ReturnType<Awaited<ReturnType<typeof play>>["frames"]>>, type: number): boolean =>
  frames.some((frame) => frame.type === type);
const [HEADERS, PING, GOAWAY] = [1, 6, 7];

test("a request is answered, and what came together leaves together", async () => {
  const { streams, send, frames } = await play();
  await send(get(1), get(3));
  for (const stream of streams) stream.sendHead(section(OK), true);
  expect((await frames()).filter(({ type }) => type === HEADERS).map(({ streamId }) => streamId)).toEqual([1, 3]);
});

describe("a peer that is too slow", () => {
  test("without SETTINGS it is left after a while", async () => {
    const { closed, frames } = await play({ isGreeted: false });
    vi.advanceTimersByTime(patience.settingsMs - 1);
    expect(has(await frames(), GOAWAY)).toBe(false);
    vi.advanceTimersByTime(1);
    expect(has(await frames(), GOAWAY)).toBe(true);
    vi.advanceTimersByTime(patience.closeMs);
    expect(closed).toEqual(["no SETTINGS (settingsTimeout)"]);
  });

  test("H2-06: a field block that does not end", async () => {
    const { closed, send, theirs } = await play();
    await send(rawFrame(HEADERS, 0, 1, [0x82]));
    vi.advanceTimersByTime(patience.fieldBlockMs + patience.closeMs);
    await turns();
    expect([closed, theirs.destroyed || theirs.readableEnded]).toEqual([
      ["a field block that does not end (enhanceYourCalm)"],
      true,
    ]);
  });

  test("a field block has its time for itself, whatever began and ended before it", async () => {
    const { closed, send } = await play();
    await send(rawFrame(HEADERS, 1, 1, [0x82]));
    vi.advanceTimersByTime(patience.fieldBlockMs - 1);
    await send(rawFrame(9, 4, 1, [0x86, 0x84, 0x01, 1, 97]), rawFrame(HEADERS, 1, 3, [0x82]));
    vi.advanceTimersByTime(patience.fieldBlockMs - 1);
    await turns();
    expect(closed).toEqual([]);
  });

  test("one that does not answer PING is gone, also where a field block came meanwhile", async () => {
    const { closed, send, frames } = await play();
    vi.advanceTimersByTime(patience.pingIntervalMs ?? 0);
    expect(has(await frames(), PING)).toBe(true);
    await send(rawFrame(HEADERS, 1, 1, [0x82]));
    await send(rawFrame(9, 4, 1, [0x86, 0x84, 0x01, 1, 97]));
    vi.advanceTimersByTime(patience.pingTimeoutMs);
    vi.advanceTimersByTime(patience.closeMs);
    expect(closed).toEqual(["no answer to PING (noError)"]);
  });

  test("one that answers PING is asked again and again", async () => {
    const { closed, send, frames } = await play();
    for (let round = 0; round < 5; round++) {
      vi.advanceTimersByTime(patience.pingIntervalMs ?? 0);
      const asked = (await frames()).filter(({ type }) => type === PING);
      expect(asked.length).toBe(1);
      await send(rawFrame(PING, 1, 0, asked[0]?.payload ?? []));
    }
    expect(closed).toEqual([]);
  });

  test("an application is never asked", async () => {
    const { frames } = await play({ role: "client", patience: APPLICATION_PATIENCE });
    vi.advanceTimersByTime(24 * 3_600_000);
    expect(await frames()).toEqual([]);
  });
});

/** A peer that says what a test pushes. */
class Source extends Duplex {
  readonly written: Buffer[] = [];
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    done();
  }
}

describe("the end", () => {
  test("a drain without streams closes the connection when the peer has read it", async () => {
    const { transport, send, frames, isEnded } = await play();
    transport.drain();
    const asked = (await frames()).find(({ type }) => type === PING);
    expect(isEnded()).toBe(false);
    await send(rawFrame(PING, 1, 0, asked?.payload ?? []));
    expect([has(await frames(), GOAWAY), isEnded()]).toEqual([true, true]);
  });

  test("a drain closes with the last stream, after everything that it had to say", async () => {
    const { transport, streams, send, frames, isEnded } = await play();
    await send(get(1));
    transport.drain();
    const asked = (await frames()).find(({ type }) => type === PING);
    await send(rawFrame(PING, 1, 0, asked?.payload ?? []));
    expect(isEnded()).toBe(false);
    streams[0]?.sendHead(section(OK), false);
    streams[0]?.write(new Uint8Array(10_000));
    streams[0]?.end();
    const last = (await frames()).at(-1);
    expect([last?.type, last?.flags, isEnded()]).toEqual([0, 1, true]);
  });

  test("a client closes after the server's GOAWAY, when its streams are done", async () => {
    const { transport, send, isEnded } = await play({ role: "client" });
    transport.connection.open(section(GET), true, () => NOTHING);
    await send(goAway(1));
    expect(isEnded()).toBe(false);
    await send(headers(1, OK, true));
    expect(isEnded()).toBe(true);
  });

  test("streams are told before the connection is closed, and that is told once", async () => {
    const told: string[] = [];
    const { theirs, send } = await play({
      handler: {
        request: ({ id }) => ({ ...NOTHING, reset: () => told.push(`reset ${id}`) }),
        closed: (reason) => told.push(reason),
      },
    });
    await send(post(1));
    theirs.end();
    await turns();
    theirs.destroy();
    await turns();
    expect(told).toEqual(["reset 1", "the other side closed the connection"]);
  });

  test("a stream of bytes that was gone before it came here", async () => {
    const [ours] = duplexPair();
    ours.destroy();
    const closed: string[] = [];
    void new Http2Transport(ours, "server", limits, patience, {
      request: () => NOTHING,
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: (reason) => closed.push(reason),
    });
    await turns();
    expect(closed).toEqual(["the connection was lost"]);
  });

  test("a handler may destroy the connection from within; what follows is not looked at", async () => {
    const requests: number[] = [];
    const { send, frames, isEnded, closed } = await play({
      handler: {
        request: (stream) => {
          requests.push(stream.id);
          destroy();
          return NOTHING;
        },
      },
    }).then((played) => {
      destroy = () => played.transport.destroy("enough");
      return played;
    });
    await send(get(1), get(3), ping());
    const sent = await frames();
    expect([requests, sent.at(-1)?.type, isEnded()]).toEqual([[1], GOAWAY, true]);
    vi.advanceTimersByTime(patience.closeMs);
    expect(closed.length).toBe(1);
  });
  let destroy = (): void => undefined;

  test("what a handler throws comes out of the data event, and the connection ends", async () => {
    const source = new Source();
    const closed: string[] = [];
    void new Http2Transport(source, "server", limits, patience, {
      request: () => {
        throw new Error("boom");
      },
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: (reason) => closed.push(reason),
    });
    expect(() => source.emit("data", Buffer.concat([PREFACE, settings(), get(1)]))).toThrow("boom");
    expect(has(splitFrames(Buffer.concat(source.written)), GOAWAY)).toBe(true);
    vi.advanceTimersByTime(patience.closeMs);
    expect(closed).toEqual(["a handler failed (internalError)"]);
  });
});

describe("a peer that does not read", () => {
  /** Takes what it is given and is never done with it. */
  class Stuck extends Duplex {
    bytes = 0;
    #done: (() => void) | undefined;
    override _read(): void {}
    override _write(chunk: Buffer, _encoding: string, done: () => void): void {
      this.bytes += chunk.length;
      this.#done = done;
    }
    release(): void {
      const done = this.#done;
      this.#done = undefined;
      done?.();
    }
  }
  const stuck = (request: Http2TransportHandler["request"]) => {
    const duplex = new Stuck({ writableHighWaterMark: 1000 });
    const bounds = testLimits({ maxUnsentBytes: 20_000 });
    const transport = new Http2Transport(duplex, "server", bounds, patience, {
      request,
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: () => undefined,
    });
    duplex.push(Buffer.concat([PREFACE, settings([4, 2 ** 30])]));
    return { duplex, transport };
  };

  test("answers wait in the connection, which ends when they are too many", async () => {
    const { duplex, transport } = stuck((stream) => ({
      ...NOTHING,
      end: () => stream.sendHead(section([...OK, ["x", String(stream.id).repeat(300)]]), true),
    }));
    await turns();
    let most = 0;
    for (let id = 1; id < 2000 && !transport.connection.failure; id += 2) {
      duplex.push(get(id));
      await turn();
      if (!transport.connection.failure) most = Math.max(most, duplex.writableLength);
    }
    expect(transport.connection.failure?.code).toBe(11);
    expect(most).toBeLessThan(5000);
  });

  test("DATA waits in its stream, and goes on when there is room", async () => {
    let stream: Http2Stream | undefined;
    const { duplex } = stuck((own) => {
      stream = own;
      return NOTHING;
    });
    await turns();
    duplex.push(Buffer.concat([get(1), rawFrame(8, 0, 0, [0, 0x10, 0, 0])]));
    await turns();
    stream?.sendHead(section(OK), false);
    for (let count = 0; count < 10; count++) {
      stream?.write(new Uint8Array(50_000));
      await turn();
    }
    expect(duplex.writableLength).toBeLessThan(60_000);
    expect(stream?.queuedBytes).toBeGreaterThan(400_000);
    for (let count = 0; count < 200; count++) {
      duplex.release();
      await turn();
    }
    expect(stream?.queuedBytes).toBe(0);
    expect(duplex.bytes).toBeGreaterThan(500_000);
  });
});

test("nothing is written after the end, whatever readers still consume", async () => {
  const { transport, streams, send, closed, isEnded } = await play();
  await send(post(1), ...Array.from({ length: 15 }, () => data(1, 16_384)));
  transport.destroy("enough");
  streams[0]?.consumed(15 * 16_384);
  transport.connection.ping();
  await turns();
  vi.advanceTimersByTime(patience.closeMs);
  expect([isEnded(), closed]).toEqual([true, ["enough (noError)"]]);
});

describe("a peer that sends more than is done in one turn", () => {
  const many = (count: number): Uint8Array =>
    Buffer.concat(Array.from({ length: count }, (_, index) => get(2 * index + 1)));

  test("others have theirs in between, and everything is done in the end", async () => {
    const { streams, theirs } = await play({ handler: { request: answering } });
    done.requests = 0;
    theirs.write(many(1_000));
    const inTurns = [done.requests];
    for (let before = done.requests; done.requests < 1_000 && inTurns.length < 10_000;) {
      await turn();
      inTurns.push(done.requests - before);
      before = done.requests;
    }
    expect([done.requests, streams.length]).toEqual([1_000, 0]);
    expect(Math.max(...inTurns)).toBeLessThanOrEqual(64);
  });

  test("its end comes after what it said before it", async () => {
    const { closed, theirs } = await play({ handler: { request: answering } });
    done.requests = 0;
    theirs.end(many(1_000));
    await vi.waitFor(() => expect(closed).toEqual(["the other side closed the connection"]));
    expect(done.requests).toBe(1_000);
  });

  test("its end comes after what it said before it, also where both were there already", async () => {
    const [source, closed] = [new Source(), [] as string[]];
    source.push(Buffer.concat([PREFACE, settings(), many(1_000)]));
    source.push(null);
    done.requests = 0;
    void new Http2Transport(source, "server", limits, patience, {
      request: answering,
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: (reason) => closed.push(reason),
    });
    await vi.waitFor(() => expect(closed).toEqual(["the other side closed the connection"]));
    expect(done.requests).toBe(1_000);
  });

  test("what waits is its own: what was read is lent", async () => {
    const source = new Source();
    void new Http2Transport(source, "server", limits, patience, {
      request: answering,
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: () => undefined,
    });
    done.requests = 0;
    const lent = Buffer.concat([PREFACE, settings(), many(1_000)]);
    source.emit("data", lent);
    lent.fill(0xaa);
    await vi.waitFor(() => expect(done.requests).toBe(1_000));
  });

  test("what comes of a tunnel meanwhile waits in its order, and is not copied again with every piece", async () => {
    const below = new FakeByteStream();
    let got = "";
    void new Http2Transport(below, "server", limits, patience, {
      request: () => ({ ...NOTHING, data: (bytes) => (got += Buffer.from(bytes).toString("latin1")) }),
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: () => undefined,
    });
    await turn();
    const sent = Array.from({ length: 2_000 }, (_, index) => String(index % 10)).join("");
    const bytes = Buffer.concat([PREFACE, settings(), post(1), ...Array.from(sent, (each) => data(1, each))]);
    const concat = vi.spyOn(Buffer, "concat");
    let at = 0;
    for (const size of [10_000, ...Array.from({ length: 1_000 }, () => 1), 1_500, 3_000, bytes.length]) {
      below.receive(bytes.toString("latin1", at, at + size));
      at += size;
    }
    const copied = concat.mock.results.reduce((sum, { value }) => sum + (value as Buffer).length, 0);
    concat.mockRestore();
    expect(copied).toBeLessThan(2 * bytes.length);
    await vi.waitFor(() => expect(below.consumedBytes).toBe(bytes.length));
    expect(got === sent).toBe(true);
  });

  test("nothing of the rest is looked at when the connection ends meanwhile", async () => {
    const { transport, theirs, closed } = await play({ handler: { request: answering } });
    done.requests = 0;
    theirs.write(many(1_000));
    while (done.requests === 0) await turn();
    transport.destroy("enough");
    const before = done.requests;
    await turns();
    vi.advanceTimersByTime(patience.closeMs);
    expect([done.requests, closed]).toEqual([before, ["enough (noError)"]]);
  });

  const done = { requests: 0 };
  const answering = (stream: Http2Stream): StreamHandler => {
    done.requests++;
    return { ...NOTHING, end: () => stream.sendHead(section(OK), true) };
  };
});
