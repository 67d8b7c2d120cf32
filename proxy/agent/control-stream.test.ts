import { expect, test, vi } from "vitest";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, ROUTING_TYPE, TRUST_BUNDLE_TYPE } from "#api/type-urls.ts";
import { FakeStream } from "../testing/fake-discovery-stream.ts";
import { ManualClock, settled } from "#mesh/testing/manual-clock.ts";
import type { DiscoveryStream } from "./control-plane-client.ts";
import { ControlStream, type ControlStreamHandler } from "./control-stream.ts";

/** A stream under test, what it is opened with, and what it is to hand over to. */
const connected = async ({ isStarted = true } = {}) => {
  const clock = new ManualClock();
  const streams: FakeStream[] = [];
  const open = vi.fn<() => Promise<FakeStream>>(() => {
    const stream = new FakeStream();
    streams.push(stream);
    return Promise.resolve(stream);
  });
  const enforced: PromiseWithResolvers<void>[] = [];
  const handler = {
    versions: vi.fn<ControlStreamHandler["versions"]>(() => ({})),
    receive: vi.fn<ControlStreamHandler["receive"]>(() => {
      const one = Promise.withResolvers<void>();
      enforced.push(one);
      return { refused: [], enforced: one.promise };
    }),
    versioned: vi.fn<ControlStreamHandler["versioned"]>(),
    connected: vi.fn<ControlStreamHandler["connected"]>(),
  };
  const opening = open as unknown as () => Promise<DiscoveryStream>;
  const control = new ControlStream(opening, "node-1", handler, clock, () => 0.5);
  if (isStarted) control.start();
  await settled();
  const latest = (): FakeStream => {
    const stream = streams.at(-1);
    if (!stream) throw new Error("no stream was opened");
    return stream;
  };
  return { clock, streams, open, enforced, handler, control, latest };
};

const response = { typeUrl: ADDRESS_TYPE, nonce: "n1", systemVersionInfo: "v1" };

test("a stream begins with one wildcard subscription for each type, trust bundles first, and says once who it is", async () => {
  const { latest } = await connected();
  const { requests } = latest();
  expect(requests.map(({ typeUrl }) => typeUrl)).toEqual([
    TRUST_BUNDLE_TYPE,
    ADDRESS_TYPE,
    AUTHORIZATION_TYPE,
    ROUTING_TYPE,
  ]);
  expect(requests.map(({ node }) => node?.id)).toEqual(["node-1", undefined, undefined, undefined]);
  for (const request of requests) {
    expect(request).toMatchObject({ resourceNamesSubscribe: [], responseNonce: "" });
  }
});

test("a response is handed over as it is, with what is of another type marked", async () => {
  const { latest, handler } = await connected();
  latest().respond({
    ...response,
    resources: [
      { name: "a", version: "1", resource: { typeUrl: ADDRESS_TYPE, value: Uint8Array.of(1) } },
      { name: "b", version: "2", resource: { typeUrl: AUTHORIZATION_TYPE, value: Uint8Array.of(2) } },
      { name: "c", version: "3" },
    ],
    removedResources: ["d"],
  });
  expect(handler.receive.mock.calls).toEqual([
    [
      {
        kind: "address",
        resources: [
          { name: "a", version: "1", bytes: Uint8Array.of(1) },
          { name: "b", version: "2", bytes: undefined },
          { name: "c", version: "3", bytes: undefined },
        ],
        removed: ["d"],
      },
    ],
  ]);
  expect(handler.connected.mock.calls).toEqual([[true, undefined]]);
});

test("a response is acknowledged when every worker decides by it, and not before", async () => {
  const { latest, enforced } = await connected();
  latest().respond(response);
  await settled();
  expect(latest().answers("n1")).toEqual([]);
  enforced[0]?.resolve();
  await settled();
  expect(latest().answers("n1")).toEqual([{ typeUrl: ADDRESS_TYPE, nack: undefined }]);
});

test("each response is acknowledged by its own nonce and type, in the order in which they are enforced", async () => {
  const { latest, enforced } = await connected();
  latest().respond(response);
  latest().respond({ ...response, typeUrl: AUTHORIZATION_TYPE, nonce: "n2" });
  for (const index of [1, 0]) {
    enforced[index]?.resolve();
    await settled();
  }
  const answers = latest().requests.slice(4);
  expect(answers.map(({ typeUrl, responseNonce }) => [typeUrl, responseNonce])).toEqual([
    [AUTHORIZATION_TYPE, "n2"],
    [ADDRESS_TYPE, "n1"],
  ]);
});

test("what was refused is answered at once, with every reason, and never acknowledged after that", async () => {
  const { latest, handler } = await connected();
  const enforced = Promise.resolve();
  handler.receive.mockReturnValueOnce({ refused: ["a: is bad", "b: is worse"], enforced });
  latest().respond(response);
  await settled();
  expect(latest().answers("n1")).toEqual([{ typeUrl: ADDRESS_TYPE, nack: "a: is bad; b: is worse" }]);
  expect(latest().requests.at(-1)?.errorDetail?.code).toBe(3);
  expect(handler.versioned).not.toHaveBeenCalled();
});

test("of a thousand refusals the first 20 are named and the rest is counted", async () => {
  const { latest, handler } = await connected();
  const refused = Array.from({ length: 1_000 }, (_, index) => `r${index}: is bad`);
  handler.receive.mockReturnValueOnce({ refused, enforced: Promise.resolve() });
  latest().respond(response);
  const [answer] = latest().answers("n1");
  expect(answer?.nack).toMatch(/^r0: is bad; .*; r19: is bad; and 980 more$/);
});

test("a type that was not asked for is refused, and handed to nobody", async () => {
  const { latest, handler } = await connected();
  latest().respond({ ...response, typeUrl: "type.googleapis.com/other" });
  expect(handler.receive).not.toHaveBeenCalled();
  expect(latest().answers("n1")).toMatchObject([
    { typeUrl: "type.googleapis.com/other", nack: expect.stringContaining("not asked for") },
  ]);
});

test("the control plane's version is known when a response came without a refusal", async () => {
  const { latest, handler } = await connected();
  latest().respond(response);
  expect(handler.versioned.mock.calls).toEqual([["v1"]]);
});

test("a new stream begins from what is held", async () => {
  const { clock, latest, handler } = await connected();
  handler.versions.mockImplementation((kind) => (kind === "address" ? { a: "1", b: "2" } : {}));
  latest().end("gone");
  await clock.pass(50);
  expect(latest().requests.map(({ initialResourceVersions }) => initialResourceVersions)).toEqual([
    {},
    { a: "1", b: "2" },
    {},
    {},
  ]);
  expect(latest().requests[0]?.node?.id).toBe("node-1");
});

test("what was received on a stream that ended is never answered on the next, whatever becomes of it", async () => {
  const { clock, streams, latest, enforced } = await connected();
  latest().respond(response);
  latest().respond({ ...response, nonce: "n2" });
  latest().end("gone");
  enforced[0]?.reject(new Error("the control stream ended"));
  await clock.pass(50);
  enforced[1]?.resolve();
  await settled();
  expect(streams.length).toBe(2);
  for (const stream of streams) expect(stream.requests.filter(({ responseNonce }) => responseNonce !== "")).toEqual([]);
});

test("the end of a stream is said with its reason, and there is one attempt to come back for each", async () => {
  const { clock, streams, latest, handler } = await connected();
  latest().end("14 UNAVAILABLE: connection reset");
  expect(handler.connected.mock.calls).toEqual([[false, "14 UNAVAILABLE: connection reset"]]);
  await clock.pass(50);
  expect(streams.length).toBe(2);
  latest().end();
  expect(handler.connected.mock.lastCall).toEqual([false, "the control plane ended the stream"]);
  expect(clock.waiting).toBe(1);
});

test("a control plane that is away is tried ever more slowly, up to 15 s, and from the start once it answered", async () => {
  const { clock, open, control, streams, latest } = await connected({ isStarted: false });
  const attempts: number[] = [];
  const start = clock.now();
  open.mockImplementation(() => {
    attempts.push(clock.now() - start);
    return Promise.reject(new Error("no token"));
  });
  control.start();
  await clock.pass(60_000);
  expect(attempts.slice(0, 5)).toEqual([0, 50, 150, 350, 750]);
  expect(Math.max(...attempts.map((at, index) => at - (attempts[index - 1] ?? 0)))).toBe(15_000);
  open.mockImplementation(() => {
    const stream = new FakeStream();
    streams.push(stream);
    return Promise.resolve(stream);
  });
  await clock.pass(15_000);
  expect(streams.length).toBe(1);
  latest().respond(response);
  latest().end("gone");
  await clock.pass(50);
  expect(streams.length).toBe(2);
});

test("a stream that ends before it said anything does not bring the first pause back", async () => {
  const { clock, streams, latest } = await connected();
  latest().end("gone");
  await clock.pass(50);
  latest().end("gone");
  await clock.pass(50);
  expect(streams.length).toBe(2);
  await clock.pass(50);
  expect(streams.length).toBe(3);
});

test("a stream that cannot be opened is said with the reason", async () => {
  const { open, control, handler } = await connected({ isStarted: false });
  open.mockRejectedValue(new Error("ENOENT: /run/token"));
  control.start();
  await settled();
  expect(handler.connected.mock.calls).toEqual([[false, "Error: ENOENT: /run/token"]]);
});

test("a stream on which nothing is heard for 30 s is given up, with the connection under it", async () => {
  const { clock, open, streams, handler } = await connected();
  await clock.pass(29_999);
  expect(open.mock.calls).toEqual([[false]]);
  await clock.pass(1);
  expect(handler.connected.mock.calls).toEqual([[false, "nothing was heard for 30 s"]]);
  await clock.pass(50);
  expect(open.mock.calls).toEqual([[false], [true]]);
  streams.at(-1)?.end("14 UNAVAILABLE");
  await clock.pass(100);
  expect(open.mock.calls).toEqual([[false], [true], [false]]);
});

test("one on which something was heard may be silent for as long as it likes", async () => {
  const { clock, open, latest } = await connected();
  await clock.pass(20_000);
  latest().respond(response);
  await clock.pass(3_600_000);
  expect(open).toHaveBeenCalledTimes(1);
  latest().end("14 UNAVAILABLE");
  await clock.pass(50);
  expect(open.mock.calls).toEqual([[false], [false]]);
});
