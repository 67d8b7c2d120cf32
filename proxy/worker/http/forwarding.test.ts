import * as fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Http1Error } from "#wire/http1/http1-error.ts";
import { ERROR_CODE } from "#wire/http2/error-code.ts";
import type { HttpClientConnection, HttpRequest } from "../../http/message.ts";
import {
  FakeAnswer,
  FakeConnection,
  type FakeExchange,
  FakeWriter,
  fieldsOf,
  httpRequest,
  httpResponse,
} from "../../testing/fake-http.ts";
import { takeLines, testVitals } from "../../testing/test-vitals.ts";
import { Counters } from "../vitals/counters.ts";
import { FlowLog } from "../vitals/flow-log.ts";
import { RequestRecord } from "../vitals/request-record.ts";
import { ByteBudget } from "./byte-budget.ts";
import { Forwarding } from "./forwarding.ts";
import type { Endpoints, ForwardingPlan } from "./forwarding-plan.ts";
import { type MeshError, upstreamError } from "./mesh-error.ts";

const UNREACHABLE: MeshError = upstreamError("connect-failed", "nobody is there");
const POST: Partial<HttpRequest> = { method: "POST", hasContent: true };
const RETRY = { attempts: 2, codes: [503], backoffMs: 5 };

/** A request on its way, and both of its ends. */
const forwarded = (
  request: Partial<HttpRequest> = {},
  { connect, failureOf, avoid, response, allowed, ...plan }: Partial<ForwardingPlan & Endpoints> = {},
) => {
  const connection = new FakeConnection(request.version === "2" ? "2" : "1.1");
  const answer = new FakeAnswer();
  const flows = new FlowLog("all");
  const asked = httpRequest(request);
  const record = new RequestRecord(
    testVitals(new Counters(), flows, () => 0),
    {
      direction: "outbound",
      requestId: "r",
      fields: asked.fields,
      source: undefined,
      destination: undefined,
      method: asked.method,
      authority: asked.authority,
      path: asked.target,
      protocol: "HTTP/1.1",
      isGrpc: false,
    },
  );
  const closed = vi.spyOn(record, "close");
  const onOver = vi.fn<(over: Forwarding) => void>();
  const keeping = new ByteBudget(1024 * 1024);
  const onMistake = vi.fn<(error: unknown) => void>();
  const forwarding = new Forwarding(
    {
      request: asked,
      changes: { remove: new Set(), add: [] },
      endpoints: {
        connect: connect ?? (() => connection),
        failureOf: failureOf ?? (() => undefined),
        avoid: avoid ?? (() => undefined),
        response: response ?? ((head) => head),
        allowed: allowed ?? ((fields) => fields),
      },
      timeouts: { requestMs: undefined, backendRequestMs: undefined },
      retry: undefined,
      budget: undefined,
      copies: [],
      record,
      keeping,
      onMistake,
      ...plan,
    },
    answer,
    onOver,
  );
  const line = () => takeLines(flows)[0];
  return { forwarding, connection, answer, closed, onOver, onMistake, keeping, line };
};

const bytes = (text: string): Uint8Array => Buffer.from(text);

afterEach(() => void vi.useRealTimers());

describe("a request and its answer", () => {
  test("go through with their content and trailers, and every byte is accounted for at both ends", () => {
    const { forwarding, connection, answer, closed, onOver, line } = forwarded(POST);
    forwarding.data(bytes("abc"));
    forwarding.end(fieldsOf({ sum: "1" }));
    const exchange = connection.last;
    exchange.answers(200, "defgh", { after: "2" });
    expect([exchange.content, exchange.said]).toEqual(["abc", ["end sum=1"]]);
    expect([answer.content, answer.said]).toEqual(["defgh", ["200", "end after=2"]]);
    expect([answer.consumedBytes, exchange.consumedBytes]).toEqual([3, 5]);
    expect(line()).toMatchObject({ response_code: 200, response_flags: "-", bytes_recv: 5, bytes_sent: 3 });
    expect([closed.mock.calls.length, onOver.mock.calls.length]).toEqual([1, 1]);
  });

  test("claim nothing in trailers or informational heads that they may not claim in a head", () => {
    const { forwarding, connection, answer } = forwarded(POST, {
      changes: { remove: new Set(["x-forwarded-for"]), add: [] },
      allowed: (fields) => fields.filter(({ name }) => name !== "x-heddle-error"),
    });
    const informational = vi.spyOn(answer, "informational");
    forwarding.end(fieldsOf({ "X-Forwarded-For": "10.0.0.1", sum: "1" }));
    const { reader } = connection.last;
    reader.informational(httpResponse(103, { fields: fieldsOf({ "x-heddle-error": "no-route", link: "a" }) }));
    connection.last.answers(200, undefined, { "x-heddle-error": "no-route", after: "2" });
    expect(connection.last.said).toEqual(["end sum=1"]);
    expect(informational.mock.calls[0]?.[0].fields).toEqual(fieldsOf({ link: "a" }));
    expect(answer.said).toEqual(["103", "200", "end after=2"]);
  });

  test("informational heads are handed on before the final one", () => {
    const { forwarding, connection, answer } = forwarded();
    forwarding.end([]);
    connection.last.reader.informational(httpResponse(103));
    connection.last.answers(204);
    expect(answer.said).toEqual(["103", "204", "end"]);
  });

  test("what an end has no room for is not taken from the other before it has", () => {
    const { forwarding, connection, answer } = forwarded(POST);
    const exchange = connection.last;
    exchange.isWelcome = false;
    forwarding.data(bytes("abc"));
    expect(answer.consumedBytes).toBe(0);
    exchange.reader.writable();
    expect(answer.consumedBytes).toBe(3);
    answer.isWelcome = false;
    exchange.reader.head(httpResponse());
    exchange.reader.data(bytes("12345"));
    expect(exchange.consumedBytes).toBe(0);
    forwarding.writable();
    expect(exchange.consumedBytes).toBe(5);
  });

  test("content that comes while the endpoint is being connected waits, and is not asked for more of", async () => {
    const connection = new FakeConnection();
    const { promise, resolve } = Promise.withResolvers<HttpClientConnection>();
    const { forwarding, answer } = forwarded(POST, { connect: () => promise });
    forwarding.data(bytes("abc"));
    forwarding.data(bytes("def"));
    forwarding.end([]);
    expect(answer.consumedBytes).toBe(0);
    resolve(connection);
    await promise;
    await Promise.resolve();
    expect([connection.last.content, connection.last.said, answer.consumedBytes]).toEqual(["abcdef", ["end"], 6]);
  });

  test("an answer before the request's end stands; what still comes is thrown away and accounted for", () => {
    const { forwarding, connection, answer, line } = forwarded(POST);
    forwarding.data(bytes("abc"));
    connection.last.answers(413, "too much");
    forwarding.data(bytes("de"));
    forwarding.end([]);
    expect(answer.said).toEqual(["413", "end"]);
    expect([answer.consumedBytes, connection.last.content]).toEqual([5, "abc"]);
    expect(connection.last.said).toEqual([`reset ${ERROR_CODE.cancel}`]);
    expect(line()).toMatchObject({ response_code: 413, response_flags: "-" });
  });

  test("a 101 makes a tunnel of it, which ends when both directions have, and no timeout of the route ends it", () => {
    vi.useFakeTimers();
    const timeouts = { requestMs: 50, backendRequestMs: 50 };
    const { forwarding, connection, answer, onOver } = forwarded({ upgrade: ["websocket"] }, { timeouts });
    const { reader } = connection.last;
    reader.head(httpResponse(101, { upgrade: ["websocket"] }));
    vi.advanceTimersByTime(1_000);
    forwarding.data(bytes("to"));
    reader.data(bytes("fro"));
    reader.end([]);
    expect(onOver).not.toHaveBeenCalled();
    forwarding.data(bytes("gether"));
    forwarding.end([]);
    expect([connection.last.content, answer.content]).toEqual(["together", "fro"]);
    expect(connection.last.said).toEqual(["end"]);
    expect(onOver).toHaveBeenCalledTimes(1);
  });
});

describe("an endpoint", () => {
  test.each([
    ["is not there", UNREACHABLE, 503, "connect-failed"],
    [
      "was found to be refused by policy",
      { ...UNREACHABLE, status: 403, code: "denied-by-peer" },
      403,
      "denied-by-peer",
    ],
  ])("that %s is told at once, in the same call", (_, error, status, reason) => {
    const { answer, closed, onOver, line, forwarding } = forwarded({}, { connect: () => error });
    expect(onOver.mock.calls).toEqual([[forwarding]]);
    expect(answer.said).toEqual([String(status), "end"]);
    expect(answer.content).toBe("heddle: nobody is there\n");
    expect(forwarding.isOver).toBe(true);
    expect(line()).toMatchObject({ response_code: status, reason });
    expect([closed.mock.calls.length, onOver.mock.calls.length]).toEqual([1, 1]);
  });

  test("whose connection others have filled meanwhile is connected once more", async () => {
    const [full, other] = [new FakeConnection(), new FakeConnection()];
    full.room = 0;
    const connections = [full, full, other];
    const connect = () => Promise.resolve(connections.shift() ?? other);
    const { answer, line, forwarding } = forwarded({}, { connect });
    await vi.waitFor(() => expect(other.exchanges.length).toBe(1));
    forwarding.end([]);
    other.last.answers(200);
    expect([full.exchanges.length, answer.said]).toEqual([0, ["200", "end"]]);
    expect(line()).toMatchObject({ attempts: 1 });
  });

  test("whose connections are always full is told as such", async () => {
    const full = new FakeConnection();
    full.room = 0;
    full.error = new Error("no room");
    const { answer } = forwarded({}, { connect: () => Promise.resolve(full) });
    await vi.waitFor(() => expect(answer.said[0]).toBe("502"));
  });

  test("whose connecting throws what it should not is answered for, and the mistake is told", async () => {
    const mistake = new Error("ours");
    const { answer, onMistake, line } = forwarded({}, { connect: () => Promise.reject(mistake) });
    await vi.waitFor(() => expect(onMistake).toHaveBeenCalledWith(mistake));
    expect(answer.said[0]).toBe("500");
    expect(line()).toMatchObject({ reason: "internal-error" });
  });

  test("whose connection cannot say the request is told as a fault of the request", () => {
    const connection = new FakeConnection();
    connection.error = new Http1Error("bad-target", "not in HTTP/1");
    const { answer, line } = forwarded({}, { connect: () => connection });
    expect(answer.said[0]).toBe("502");
    expect(line()).toMatchObject({ reason: "unforwardable-request" });
  });

  test("that breaks off before its head is answered for; one after it breaks the answer off, too", () => {
    const before = forwarded();
    before.connection.last.breaks();
    expect(before.answer.said).toEqual(["503", "end"]);
    expect(before.line()).toMatchObject({ response_flags: "UR", reason: "upstream-reset" });

    const after = forwarded();
    after.connection.last.reader.head(httpResponse());
    after.connection.last.reader.data(bytes("half"));
    after.connection.last.breaks("lost", ERROR_CODE.internalError);
    expect(after.answer.said).toEqual(["200", `reset ${ERROR_CODE.internalError}`]);
    expect(after.line()).toMatchObject({ response_code: 200, response_flags: "UR" });
  });

  test("that resets its answer with NO_ERROR has not completed it: clients would take that for an end", () => {
    const { connection, answer } = forwarded({ version: "2" });
    connection.last.reader.head(httpResponse());
    connection.last.breaks("lost", ERROR_CODE.noError);
    expect(answer.said).toEqual(["200", `reset ${ERROR_CODE.internalError}`]);
  });

  test("that breaks a rule is a bad gateway", () => {
    const { connection, answer, line } = forwarded();
    connection.last.breaks("protocol");
    expect(answer.said[0]).toBe("502");
    expect(line()).toMatchObject({ response_flags: "UPE", reason: "upstream-protocol-error" });
  });

  test("whose answer cannot be said to the client is a bad gateway, and is given up", () => {
    const { connection, answer } = forwarded(
      {},
      {
        response: () => {
          throw new Http1Error("bad-field-value", "not in HTTP/1");
        },
      },
    );
    connection.last.reader.head(httpResponse());
    expect(answer.said[0]).toBe("502");
    expect(connection.last.isReset).toBe(true);
  });

  test("says nothing any more once it was given up", () => {
    const { forwarding, connection, answer } = forwarded();
    const { reader } = connection.last;
    forwarding.reset({ kind: "lost", message: "gone", code: undefined });
    reader.informational(httpResponse(103));
    reader.head(httpResponse());
    reader.data(bytes("x"));
    reader.end([]);
    reader.writable();
    connection.last.breaks();
    expect(answer.said).toEqual([]);
  });
});

describe("a client that goes", () => {
  const STAGES: readonly (readonly [string, (exchange: FakeExchange) => void])[] = [
    ["before the head of its answer", () => undefined],
    ["after an informational head", ({ reader }) => reader.informational(httpResponse(103))],
    ["after the head", ({ reader }) => reader.head(httpResponse())],
    [
      "inside of the content",
      ({ reader }) => {
        reader.head(httpResponse());
        reader.data(bytes("x"));
      },
    ],
  ];

  test.each(STAGES)("%s has the request withdrawn from the endpoint", (_, at) => {
    const { forwarding, connection, closed, onOver, line } = forwarded(POST);
    at(connection.last);
    forwarding.reset({ kind: "lost", message: "gone", code: undefined });
    expect(connection.last.said).toEqual([`reset ${ERROR_CODE.cancel}`]);
    expect(line()).toMatchObject({ response_flags: "DC", reason: "client-gone" });
    expect([closed.mock.calls.length, onOver.mock.calls.length]).toEqual([1, 1]);
  });

  test("while an endpoint is being connected sends nothing to it", async () => {
    const connection = new FakeConnection();
    const { promise, resolve } = Promise.withResolvers<HttpClientConnection>();
    const { forwarding, line } = forwarded({}, { connect: () => promise });
    forwarding.reset({ kind: "lost", message: "gone", code: undefined });
    resolve(connection);
    await promise;
    await Promise.resolve();
    expect(connection.exchanges).toEqual([]);
    expect(line()).toMatchObject({ reason: "client-gone" });
  });

  test("while the next attempt waits has none made", () => {
    vi.useFakeTimers();
    const { forwarding, connection } = forwarded({}, { retry: RETRY });
    connection.last.breaks();
    forwarding.reset({ kind: "lost", message: "gone", code: undefined });
    vi.advanceTimersByTime(1_000);
    expect(connection.exchanges.length).toBe(1);
  });

  test("has broken a rule where it has", () => {
    const { forwarding, line } = forwarded();
    forwarding.reset({ kind: "protocol", message: "bad chunk", code: undefined });
    expect(line()).toMatchObject({ response_flags: "DPE", reason: "bad-request" });
  });
});

describe("retries", () => {
  test("send the whole request again, and the client sees the last answer only", () => {
    vi.useFakeTimers();
    const { forwarding, connection, answer, line } = forwarded(POST, { retry: RETRY });
    forwarding.data(bytes("abc"));
    connection.last.reader.head(httpResponse(503));
    forwarding.data(bytes("def"));
    vi.advanceTimersByTime(5);
    forwarding.end([]);
    connection.last.answers(200, "done");
    expect(connection.exchanges.map(({ content }) => content)).toEqual(["abc", "abcdef"]);
    expect(connection.exchanges[0]?.isReset).toBe(true);
    expect([answer.said, answer.content, answer.consumedBytes]).toEqual([["200", "end"], "done", 6]);
    expect(line()).toMatchObject({ attempts: 2, response_code: 200 });
  });

  test.each([
    ["attempts are used up", { retry: { ...RETRY, attempts: 0 } }],
    ["the route says nothing of them", {}],
  ])("are not made where %s", (_, plan) => {
    vi.useFakeTimers();
    const { connection, answer } = forwarded({}, plan);
    connection.last.answers(503, "no");
    vi.advanceTimersByTime(1_000);
    expect([connection.exchanges.length, answer.content]).toEqual([1, "no"]);
  });

  test("that the Service's budget has no room for are answered by the mesh (GEP-3388)", () => {
    vi.useFakeTimers();
    const { connection, answer } = forwarded({}, { retry: RETRY, budget: { takeRetry: () => false } });
    connection.last.answers(503, "no");
    vi.advanceTimersByTime(1_000);
    expect([connection.exchanges.length, answer.said[0]]).toEqual([1, "503"]);
    expect(answer.content).toContain("no more retries");
  });

  test("are not made of content beyond 64 KiB, of which no more is kept", () => {
    vi.useFakeTimers();
    const { forwarding, connection, answer } = forwarded(POST, { retry: RETRY });
    for (let sent = 0; sent < 5; sent++) forwarding.data(Buffer.alloc(16 * 1024, "x"));
    connection.last.breaks();
    vi.advanceTimersByTime(1_000);
    expect([connection.exchanges.length, answer.said[0]]).toEqual([1, "503"]);
    expect(answer.consumedBytes).toBe(5 * 16 * 1024);
  });

  test("of an endpoint that has not looked at the request need no word of the route, and are bounded", () => {
    const { forwarding, connection, answer } = forwarded({ ...POST, version: "2" });
    forwarding.data(bytes("abc"));
    for (let refused = 0; refused < 9; refused++) connection.last.breaks("refused", ERROR_CODE.refusedStream);
    expect(connection.exchanges.map(({ content }) => content)).toEqual(Array.from({ length: 9 }, () => "abc"));
    expect(answer.said).toEqual(["503", "end"]);
  });

  test("of an endpoint that has not looked at the request leave the route all of its retries", () => {
    vi.useFakeTimers();
    const { connection, answer } = forwarded({ version: "2" }, { retry: RETRY });
    for (let refused = 0; refused < 3; refused++) connection.last.breaks("refused", ERROR_CODE.refusedStream);
    for (let retried = 0; retried < RETRY.attempts; retried++) {
      connection.last.answers(503, "no");
      vi.advanceTimersByTime(1_000);
    }
    expect(answer.said).toEqual([]);
    connection.last.answers(503, "the last");
    vi.advanceTimersByTime(1_000);
    expect([connection.exchanges.length, answer.content]).toEqual([4 + RETRY.attempts, "the last"]);
  });

  test("of a connection that was lost before anything had left send small content again, too", () => {
    const { forwarding, connection, answer } = forwarded(POST);
    connection.last.isUnsent = true;
    forwarding.data(bytes("abc"));
    connection.last.breaks("refused");
    expect(connection.exchanges.map(({ content }) => content)).toEqual(["abc", "abc"]);
    forwarding.data(bytes("def"));
    expect(connection.last.content).toBe("abcdef");
    connection.last.breaks("refused");
    for (let refused = 2; refused < 9; refused++) {
      expect(connection.last.content).toBe("abcdef");
      connection.last.breaks("refused");
    }
    expect([connection.exchanges.length, answer.said[0]]).toEqual([9, "503"]);
  });

  test("of one whose proxy says that it reached no application go elsewhere without a word of the route, and are bounded", () => {
    const failureOf: Endpoints["failureOf"] = ({ status }) => (status === 503 ? "unreached" : undefined);
    const avoid = vi.fn<Endpoints["avoid"]>();
    const { forwarding, connection, answer, line } = forwarded(POST, { failureOf, avoid });
    forwarding.data(bytes("abc"));
    forwarding.end([]);
    for (let times = 0; times < 3; times++) connection.last.answers(503, "not there");
    expect(connection.exchanges.map(({ content }) => content)).toEqual(["abc", "abc", "abc"]);
    expect(connection.exchanges.map(({ isReset }) => isReset)).toEqual([true, true, false]);
    expect([answer.said, answer.content, avoid.mock.calls.length]).toEqual([["503", "end"], "not there", 2]);
    expect(line()).toMatchObject({ response_code: 503, response_flags: "UF", reason: "peer-failure" });
  });

  test("of one whose content is not there any more are not made, whatever its proxy says", () => {
    const { forwarding, connection, answer } = forwarded(POST, { failureOf: () => "unreached" });
    for (let sent = 0; sent < 5; sent++) forwarding.data(Buffer.alloc(16 * 1024, "x"));
    connection.last.answers(503, "not there");
    expect([connection.exchanges.length, answer.content]).toEqual([1, "not there"]);
  });

  test("are not made of content that came before it was known that nothing had left, where that is too much", () => {
    const { forwarding, connection, answer } = forwarded(POST);
    connection.last.isUnsent = true;
    for (let sent = 0; sent < 5; sent++) forwarding.data(Buffer.alloc(16 * 1024, "x"));
    connection.last.breaks("refused");
    expect([connection.exchanges.length, answer.said[0]]).toEqual([1, "503"]);
  });

  test("are not made of content for which the pod has no memory left, and what was kept is given back", () => {
    vi.useFakeTimers();
    const keeping = new ByteBudget(10);
    const { forwarding, connection, answer } = forwarded(POST, { retry: RETRY, keeping });
    forwarding.data(bytes("abcdef"));
    expect(keeping.used).toBe(6);
    forwarding.data(bytes("ghijkl"));
    expect(keeping.used).toBe(0);
    connection.last.breaks();
    vi.advanceTimersByTime(1_000);
    expect([connection.exchanges.length, answer.said[0], connection.last.content]).toEqual([1, "503", "abcdefghijkl"]);
  });

  test("are never made when the client has the answer's head", () => {
    vi.useFakeTimers();
    const timeouts = { requestMs: undefined, backendRequestMs: 50 };
    const { connection, answer, line } = forwarded({}, { retry: RETRY, timeouts });
    connection.last.reader.head(httpResponse());
    vi.advanceTimersByTime(1_000);
    expect(connection.exchanges.length).toBe(1);
    expect(answer.said).toEqual(["200", `reset ${ERROR_CODE.internalError}`]);
    expect(line()).toMatchObject({ response_flags: "UT", reason: "backend-timeout" });
  });
});

describe("timeouts", () => {
  test("of a request count all attempts together, and the pause between them", () => {
    vi.useFakeTimers();
    const retry = { ...RETRY, attempts: 10, backoffMs: 100 };
    const timeouts = { requestMs: 250, backendRequestMs: undefined };
    const { connection, answer, line } = forwarded({}, { retry, timeouts });
    for (let attempt = 0; attempt < 3; attempt++) {
      connection.last.breaks();
      vi.advanceTimersByTime(100);
    }
    expect(answer.said).toEqual(["504", "end"]);
    expect(line()).toMatchObject({ response_flags: "UT", reason: "request-timeout" });
    expect(connection.last.isReset || connection.exchanges.length === 3).toBe(true);
    vi.advanceTimersByTime(10_000);
    expect(connection.exchanges.length).toBe(3);
  });

  test("of an attempt begin with it, and another attempt has a time of its own", () => {
    vi.useFakeTimers();
    const timeouts = { requestMs: undefined, backendRequestMs: 50 };
    const { connection, answer } = forwarded({}, { retry: { ...RETRY, attempts: 1 }, timeouts });
    vi.advanceTimersByTime(50);
    expect(connection.last.isReset).toBe(true);
    vi.advanceTimersByTime(RETRY.backoffMs + 49);
    expect([connection.exchanges.length, answer.said]).toEqual([2, []]);
    vi.advanceTimersByTime(1);
    expect(answer.said).toEqual(["504", "end"]);
  });

  test("do not come after the end", () => {
    vi.useFakeTimers();
    const timeouts = { requestMs: 50, backendRequestMs: 50 };
    const { forwarding, connection, answer } = forwarded({}, { timeouts });
    forwarding.end([]);
    connection.last.answers(200);
    vi.advanceTimersByTime(1_000);
    expect([answer.said, vi.getTimerCount()]).toEqual([["200", "end"], 0]);
  });
});

test("one that is stopped breaks off at both ends, once", () => {
  const { forwarding, connection, answer, onOver, line } = forwarded();
  forwarding.stop("the pod is gone");
  forwarding.stop("again");
  expect(connection.last.isReset).toBe(true);
  expect(answer.said).toEqual([`reset ${ERROR_CODE.cancel}`]);
  expect(onOver).toHaveBeenCalledTimes(1);
  expect(line()).toMatchObject({ reason: "stopped" });
});

/** Anything that may happen to a request, in any order that the ends of a connection allow. */
const EVENTS = [
  "client data",
  "client end",
  "client gone",
  "client writable",
  "client full",
  "client empty",
  "connected",
  "unreachable",
  "informational",
  "head",
  "head 503",
  "head 101",
  "data",
  "end",
  "writable",
  "full",
  "empty",
  "lost",
  "refused",
  "protocol",
  "time",
  "stop",
] as const;

describe("copies", () => {
  /** A request with a copy, which is as good as its connection. */
  const withCopy = (request: Partial<HttpRequest> = POST, plan: Partial<ForwardingPlan & Endpoints> = {}) => {
    const copy = new FakeWriter();
    return { copy, ...forwarded(request, { copies: [copy], ...plan }) };
  };
  const CANCELLED = [`reset ${ERROR_CODE.cancel}`];

  test("get the content once, however often the request itself is sent, and only trailers that it may have", () => {
    vi.useFakeTimers();
    const { forwarding, connection, copy } = withCopy(POST, {
      retry: RETRY,
      changes: { remove: new Set(["x-forwarded-for"]), add: [] },
    });
    forwarding.data(bytes("abc"));
    connection.last.reader.head(httpResponse(503));
    vi.advanceTimersByTime(5);
    forwarding.data(bytes("def"));
    forwarding.end(fieldsOf({ "x-forwarded-for": "10.0.0.1", sum: "1" }));
    connection.last.answers(200);
    expect([connection.exchanges.length, copy.content, copy.said]).toEqual([2, "abcdef", ["end sum=1"]]);
  });

  test("are not waited for: what they have no room for is taken from the client all the same", () => {
    const { forwarding, answer, copy } = withCopy();
    copy.isWelcome = false;
    forwarding.data(bytes("abc"));
    expect([answer.consumedBytes, copy.content]).toEqual([3, "abc"]);
  });

  test.each<[string, (of: ReturnType<typeof withCopy>) => void]>([
    ["the client goes", ({ forwarding }) => forwarding.reset({ kind: "lost", message: "gone", code: undefined })],
    ["the pod goes", ({ forwarding }) => forwarding.stop("the pod is gone")],
    ["the endpoint answers", ({ connection }) => connection.last.answers(413)],
    ["the endpoint breaks off", ({ connection }) => connection.last.breaks()],
  ])("are broken off when %s before the request's end: nobody tells what follows", (_, happens) => {
    const all = withCopy();
    all.forwarding.data(bytes("a"));
    happens(all);
    expect(all.copy.said).toEqual(CANCELLED);
  });

  test("that are whole are left alone by whatever becomes of the request", () => {
    const { forwarding, copy } = withCopy();
    forwarding.end([]);
    forwarding.reset({ kind: "lost", message: "gone", code: undefined });
    expect(copy.said).toEqual(["end"]);

    const failed = withCopy({}, { connect: () => UNREACHABLE });
    expect(failed.copy.said).toEqual([]);
  });
});

describe("whatever happens in whatever order", () => {
  const scenario = fc.record({
    events: fc.array(fc.constantFrom(...EVENTS), { maxLength: 40 }),
    hasContent: fc.boolean(),
    version: fc.constantFrom("1.1" as const, "2" as const),
    isAsync: fc.boolean(),
    retries: fc.integer({ min: 0, max: 2 }),
    requestMs: fc.constantFrom(undefined, 30),
    backendRequestMs: fc.constantFrom(undefined, 20),
  });

  test("a request ends once, is told once, and no byte of either end is forgotten", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await fc.assert(
      fc.asyncProperty(
        scenario,
        async ({ events, hasContent, version, isAsync, retries, requestMs, backendRequestMs }) => {
          const play = new Play(hasContent, version, isAsync, retries, { requestMs, backendRequestMs });
          for (const event of events) await play.happens(event);
          await play.finish();
          expect(play.closed).toHaveBeenCalledTimes(1);
          expect(play.onOver).toHaveBeenCalledTimes(1);
          expect(play.answer.consumedBytes).toBe(play.sentByClient);
          // An exchange that was reset needs no account: its connection has it.
          for (const [exchange, sent] of play.sentByEndpoint)
            if (!exchange.isReset && !play.broken.has(exchange)) expect(exchange.consumedBytes).toBe(sent);
          expect([vi.getTimerCount(), play.keeping.used]).toEqual([0, 0]);
          const { answer } = play;
          expect(answer.isAnswered || answer.isReset || play.isClientGone).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** Plays both ends of one request by the rules of their protocols. */
class Play {
  readonly answer: FakeAnswer;
  readonly closed;
  readonly onOver;
  readonly keeping: ByteBudget;
  readonly #forwarding: Forwarding;
  readonly #connection: FakeConnection;
  readonly sentByEndpoint = new Map<FakeExchange, number>();
  /** Ended, one way or the other. */
  readonly broken = new Set<FakeExchange>();
  readonly #answered = new Map<FakeExchange, "head" | "tunnel" | "end">();
  sentByClient = 0;
  isClientGone = false;
  #hasClientEnded = false;
  readonly #hasContent: boolean;
  #connecting: ((made: HttpClientConnection | MeshError) => void)[] = [];

  constructor(
    hasContent: boolean,
    version: "1.1" | "2",
    isAsync: boolean,
    retries: number,
    timeouts: ForwardingPlan["timeouts"],
  ) {
    this.#hasContent = hasContent;
    const first = new FakeConnection(version);
    const pending: ((made: HttpClientConnection | MeshError) => void)[] = [];
    const made = forwarded(
      { ...POST, hasContent, version },
      {
        connect: () => {
          if (!isAsync) return first;
          const { promise, resolve } = Promise.withResolvers<HttpClientConnection | MeshError>();
          pending.push(resolve);
          return promise;
        },
        retry: { attempts: retries, codes: [503], backoffMs: 5 },
        timeouts,
      },
    );
    this.answer = made.answer;
    this.closed = made.closed;
    this.onOver = made.onOver;
    this.keeping = made.keeping;
    this.#forwarding = made.forwarding;
    this.#connection = first;
    this.#connecting = pending;
  }

  async happens(event: (typeof EVENTS)[number]): Promise<void> {
    const forwarding = this.#forwarding;
    switch (event) {
      case "client data":
        if (this.isClientGone || this.#hasClientEnded || !this.#hasContent) return;
        this.sentByClient += 3;
        return forwarding.data(bytes("abc"));
      case "client end":
        if (this.isClientGone || this.#hasClientEnded) return;
        this.#hasClientEnded = true;
        return forwarding.end([]);
      case "client gone":
        if (this.isClientGone || this.answer.isReset) return;
        this.isClientGone = true;
        return forwarding.reset({ kind: "lost", message: "gone", code: undefined });
      case "client writable":
        return this.isClientGone ? undefined : forwarding.writable();
      case "client full":
      case "client empty":
        this.answer.isWelcome = event === "client empty";
        return;
      case "connected":
      case "unreachable":
        this.#connecting.shift()?.(event === "connected" ? this.#connection : UNREACHABLE);
        return settle();
      case "time":
        vi.advanceTimersByTime(10);
        return settle();
      case "stop":
        forwarding.stop("stopped");
        this.isClientGone ||= this.answer.isReset;
        return;
      case "informational":
      case "head":
      case "head 503":
      case "head 101":
      case "data":
      case "end":
      case "writable":
      case "full":
      case "empty":
      case "lost":
      case "refused":
      case "protocol":
        this.#endpoint(event);
    }
  }

  /** Nothing is left open. */
  async finish(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) {
      await this.happens("connected");
      await this.happens("time");
    }
    this.answer.isWelcome = true;
    await this.happens("client writable");
    if (!this.#forwarding.isOver) await this.happens("client gone");
  }

  #endpoint(event: Exclude<(typeof EVENTS)[number], `client ${string}`>): void {
    const exchange = this.#connection.exchanges.at(-1);
    if (!exchange || exchange.isReset || this.broken.has(exchange)) return;
    const state = this.#answered.get(exchange);
    const { reader } = exchange;
    if (event === "writable") return reader.writable();
    if (event === "full" || event === "empty") exchange.isWelcome = event === "empty";
    else if (event === "lost" || event === "refused" || event === "protocol") {
      this.broken.add(exchange);
      exchange.breaks(event);
    } else if (event === "informational") {
      if (!state) reader.informational(httpResponse(103));
    } else if (event.startsWith("head")) {
      if (state) return;
      const status = Number(event.split(" ")[1] ?? 200);
      this.#answered.set(exchange, status === 101 ? "tunnel" : "head");
      reader.head(httpResponse(status));
    } else if (!state || state === "end") return;
    else if (event === "data") {
      this.sentByEndpoint.set(exchange, (this.sentByEndpoint.get(exchange) ?? 0) + 2);
      reader.data(bytes("xy"));
    } else if (event === "end") {
      this.#answered.set(exchange, "end");
      reader.end([]);
    }
  }
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn++) await Promise.resolve();
};
