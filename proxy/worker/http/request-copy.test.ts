import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ERROR_CODE } from "#wire/http2/error-code.ts";
import type { HttpClientConnection, HttpRequest } from "../../http/message.ts";
import { FakeConnection, fieldsOf, httpRequest, httpResponse } from "../../testing/fake-http.ts";
import { type MeshError, upstreamError } from "./mesh-error.ts";
import { type CopyPlan, RequestCopy } from "./request-copy.ts";

const POST: Partial<HttpRequest> = { method: "POST", hasContent: true };
const CANCELLED = `reset ${ERROR_CODE.cancel}`;
const KIB = 1024;

/** A copy, the connection that it goes to, and how often it was over. */
const copied = (request: Partial<HttpRequest> = POST, plan: Partial<CopyPlan> = {}) => {
  const connection = new FakeConnection();
  const onOver = vi.fn<() => void>();
  const onMistake = vi.fn<(error: unknown) => void>();
  const copy = new RequestCopy({
    request: httpRequest(request),
    changes: { remove: new Set(), add: fieldsOf({ "x-request-id": "r" }) },
    connect: () => connection,
    onOver,
    onMistake,
    ...plan,
  });
  return { copy, connection, onOver, onMistake };
};

/** The same, where connecting takes until it is said how that went. */
const connecting = (request: Partial<HttpRequest> = POST) => {
  const { promise, resolve, reject } = Promise.withResolvers<HttpClientConnection | MeshError>();
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  return {
    ...copied(request, { connect: () => promise }),
    connected: async (made: HttpClientConnection | MeshError) => (resolve(made), settled()),
    failed: async (error: Error) => (reject(error), settled()),
  };
};

const bytes = (content: string | number): Uint8Array =>
  typeof content === "string" ? Buffer.from(content) : Buffer.alloc(content, "x");

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a copy of a request", () => {
  test("has its head, the fields that are added to it, its content and its trailers; its answer is read and thrown away", () => {
    const { copy, connection, onOver } = copied();
    copy.write(bytes("ab"));
    copy.write(bytes("c"));
    copy.end(fieldsOf({ sum: "1" }));
    const exchange = connection.last;
    expect([exchange.request.method, exchange.content, exchange.said]).toEqual(["POST", "abc", ["end sum=1"]]);
    expect(exchange.changes.add).toEqual(fieldsOf({ "x-request-id": "r" }));
    exchange.reader.informational(httpResponse(100));
    exchange.reader.head(httpResponse(500));
    exchange.reader.data(bytes("whatever"));
    expect([exchange.consumedBytes, onOver.mock.calls.length]).toEqual([8, 0]);
    exchange.reader.end([]);
    expect([exchange.said, onOver.mock.calls.length]).toEqual([["end sum=1"], 1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("without content is whole with its head, whatever becomes of the request", () => {
    const { copy, connection } = copied({});
    expect(connection.last.said).toEqual(["end"]);
    copy.end([]);
    expect(connection.last.said).toEqual(["end"]);
    connection.last.answers(200);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("uses a free connection in the same call: others could not find it, and it could be gone afterwards", () => {
    expect(copied().connection.exchanges).toHaveLength(1);
  });

  test("keeps the order of what came before there was a connection, and what came while it was full", async () => {
    const { copy, connection, connected } = connecting();
    copy.write(bytes("a"));
    copy.write(bytes("b"));
    const lent = bytes("c");
    copy.write(lent);
    lent.fill(0);
    await connected(connection);
    const exchange = connection.last;
    expect(exchange.content).toBe("abc");
    exchange.isWelcome = false;
    copy.write(bytes("d"));
    copy.write(bytes("e"));
    copy.write(bytes("f"));
    copy.end([]);
    expect([exchange.content, exchange.said]).toEqual(["abcd", []]);
    exchange.reader.writable();
    expect([exchange.content, exchange.said]).toEqual(["abcde", []]);
    exchange.isWelcome = true;
    exchange.reader.writable();
    expect([exchange.content, exchange.said]).toEqual(["abcdef", ["end"]]);
  });

  test("that ended before there was a connection is sent whole", async () => {
    const { copy, connection, connected } = connecting();
    copy.write(bytes("a"));
    copy.end([]);
    await connected(connection);
    expect([connection.last.content, connection.last.said]).toEqual(["a", ["end"]]);
  });

  test("never holds the request up: it always wants more", async () => {
    const { copy, connection, connected } = connecting();
    expect(copy.write(bytes("a"))).toBe(true);
    await connected(connection);
    connection.last.isWelcome = false;
    expect([copy.write(bytes("b")), copy.write(bytes("c"))]).toEqual([true, true]);
  });
});

describe("a mirror", () => {
  test("whose connection has no room by the time that it is there is asked for another, within bounds", async () => {
    const [crowded, connection] = [new FakeConnection("2"), new FakeConnection("2")];
    crowded.room = 0;
    const connect = vi
      .fn<CopyPlan["connect"]>()
      .mockReturnValueOnce(Promise.resolve(crowded))
      .mockReturnValue(connection);
    copied(POST, { connect });
    await vi.waitFor(() => expect(connection.exchanges).toHaveLength(1));

    crowded.error = new Error("no room");
    const never = vi.fn<CopyPlan["connect"]>().mockReturnValue(crowded);
    expect(copied(POST, { connect: never }).onOver).toHaveBeenCalledTimes(1);
    expect(never.mock.calls.length).toBeLessThan(100);
  });

  test("that is not there, cannot be said the request, or whose connecting breaks costs the copy alone", async () => {
    const none = copied(POST, { connect: () => upstreamError("connect-failed", "nobody is there") });
    expect(none.onOver).toHaveBeenCalledTimes(1);
    none.copy.write(bytes("a"));
    none.copy.end([]);

    const connection = new FakeConnection();
    connection.error = new Error("no room");
    const full = copied(POST, { connect: () => connection });
    expect([full.onOver.mock.calls.length, full.onMistake.mock.calls.length]).toEqual([1, 0]);

    const mistake = new Error("ours");
    const thrown = copied(POST, {
      connect: () => {
        throw mistake;
      },
    });
    expect([thrown.onOver.mock.calls.length, thrown.onMistake.mock.calls]).toEqual([1, [[mistake]]]);

    const rejected = connecting();
    await rejected.failed(mistake);
    expect([rejected.onOver.mock.calls.length, rejected.onMistake.mock.calls]).toEqual([1, [[mistake]]]);
  });

  test("that reads slowly is given up before more than 64 KiB wait for it", () => {
    const { copy, connection, onOver } = copied();
    connection.last.isWelcome = false;
    copy.write(bytes(KIB));
    copy.write(bytes(63 * KIB));
    expect(onOver).not.toHaveBeenCalled();
    copy.write(bytes(2 * KIB));
    expect([connection.last.said, onOver.mock.calls.length]).toEqual([[CANCELLED], 1]);
    copy.write(bytes(KIB));
    copy.end([]);
    expect(connection.last.content).toHaveLength(KIB);
  });

  test("that reads slowly is given up sooner where content comes byte by byte: each has its cost", () => {
    const { copy, onOver } = connecting();
    for (let piece = 0; piece < 1_000 && onOver.mock.calls.length === 0; piece++) copy.write(bytes("x"));
    expect(onOver).toHaveBeenCalledTimes(1);
  });

  test("that keeps up gets as much as the request has", () => {
    const { copy, connection } = copied();
    for (let piece = 0; piece < 10; piece++) copy.write(bytes(100 * KIB));
    copy.end([]);
    expect([connection.last.content.length, connection.last.said]).toEqual([1_000 * KIB, ["end"]]);
  });

  test("that never answers holds its connection for half a minute, however long the request took to come", () => {
    const { copy, connection, onOver } = copied();
    vi.advanceTimersByTime(3_600_000);
    copy.write(bytes("a"));
    copy.end([]);
    vi.advanceTimersByTime(29_000);
    connection.last.reader.data(bytes("never ending"));
    expect(onOver).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_001);
    expect([connection.last.said, onOver.mock.calls.length]).toEqual([["end", CANCELLED], 1]);
  });

  test("that takes too long to be connected is not sent anything any more", async () => {
    const { connection, connected, onOver } = connecting({});
    vi.advanceTimersByTime(30_001);
    expect(onOver).toHaveBeenCalledTimes(1);
    await connected(connection);
    expect([connection.exchanges.length, onOver.mock.calls.length]).toEqual([0, 1]);
  });

  test("that answers before the end of the request, also before what waits of it, gets no more", () => {
    const early = copied();
    early.copy.write(bytes("a"));
    early.connection.last.answers(413);
    expect([early.connection.last.said, early.onOver.mock.calls.length]).toEqual([[CANCELLED], 1]);

    const waiting = copied();
    waiting.connection.last.isWelcome = false;
    waiting.copy.write(bytes("a"));
    waiting.copy.write(bytes("b"));
    waiting.copy.end([]);
    waiting.connection.last.answers(413);
    expect([waiting.connection.last.said, waiting.onOver.mock.calls.length]).toEqual([[CANCELLED], 1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("that breaks off ends the copy, and is not sent it again", () => {
    const { copy, connection, onOver } = copied();
    connection.last.breaks("refused");
    copy.write(bytes("a"));
    copy.end([]);
    expect([connection.exchanges.length, connection.last.content, onOver.mock.calls.length]).toEqual([1, "", 1]);
  });

  test("that cannot be said the trailers is broken off: it must not take the copy for whole, nor wait for its end", () => {
    const { copy, connection, onOver } = copied();
    vi.spyOn(connection.last, "end").mockImplementation(() => {
      throw new Error("not in HTTP/1");
    });
    copy.end(fieldsOf({ sum: "1" }));
    expect([connection.last.said, onOver.mock.calls.length]).toEqual([[CANCELLED], 1]);
  });
});

test("a request whose client has gone has its copy broken off, connected or not, and that once", async () => {
  const { copy, connection, onOver } = copied();
  copy.reset(ERROR_CODE.cancel, "the client is gone");
  copy.reset(ERROR_CODE.cancel, "the client is gone");
  expect([connection.last.said, onOver.mock.calls.length]).toEqual([[CANCELLED], 1]);

  const early = connecting();
  early.copy.reset(ERROR_CODE.cancel, "the client is gone");
  await early.connected(early.connection);
  expect([early.connection.exchanges.length, early.onOver.mock.calls.length]).toEqual([0, 1]);
});
