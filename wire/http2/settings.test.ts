import { expect, test } from "vitest";
import { INITIAL_PEER_SETTINGS, ownSettings, withSettings } from "./settings.ts";
import { rawFrame, settings, SETTINGS_ACK as settingsAck } from "./testing/raw-frames.ts";
import { ScriptedPeer } from "./testing/scripted-peer.ts";
import { TEST_LIMITS, testLimits } from "./testing/test-limits.ts";

// RFC 9113 section 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1.
const REFUSED: readonly (readonly [what: string, id: number, value: number, code: number, of: "client" | "server"])[] =
  [
    ["ENABLE_PUSH 2", 2, 2, 1, "client"],
    ["ENABLE_PUSH 1 of a server", 2, 1, 1, "server"],
    ["INITIAL_WINDOW_SIZE 2^31", 4, 2 ** 31, 3, "client"],
    ["MAX_FRAME_SIZE 16383", 5, 16_383, 1, "client"],
    ["MAX_FRAME_SIZE 2^24", 5, 2 ** 24, 1, "client"],
    ["ENABLE_CONNECT_PROTOCOL 2", 8, 2, 1, "server"],
    ["NO_RFC7540_PRIORITIES 2", 9, 2, 1, "client"],
  ];

test.each(REFUSED)("%s is refused", (_, id, value, code, of) => {
  expect(() => withSettings(INITIAL_PEER_SETTINGS, [[id, value]], false, of)).toThrow(
    expect.objectContaining({ code }),
  );
});

test("extended CONNECT is not taken back (RFC 8441 section 3)", () => {
  const enabled = withSettings(INITIAL_PEER_SETTINGS, [[8, 1]], true, "server");
  expect(enabled.enableConnectProtocol).toBe(true);
  expect(() => withSettings(enabled, [[8, 0]], false, "server")).toThrow(expect.objectContaining({ code: 1 }));
});

test("the last value of a setting counts, and unknown ones are ignored", () => {
  const frame = [
    [4, 1],
    [0xabcd, 7],
    [4, 70_000],
    [1, 0],
    [5, 2 ** 24 - 1],
    [6, 99],
    [2, 0],
  ] as const;
  expect(withSettings(INITIAL_PEER_SETTINGS, frame, false, "client")).toEqual({
    headerTableSize: 0,
    maxConcurrentStreams: 100,
    initialWindowSize: 70_000,
    maxFrameSize: 2 ** 24 - 1,
    maxHeaderListSize: 99,
    enableConnectProtocol: false,
  });
});

test("a limit of streams that a peer's first frame does not name is none", () => {
  expect(withSettings(INITIAL_PEER_SETTINGS, [], true, "server").maxConcurrentStreams).toBe(Number.POSITIVE_INFINITY);
  expect(withSettings(INITIAL_PEER_SETTINGS, [], false, "server").maxConcurrentStreams).toBe(100);
});

test("a client refuses push; a server offers extended CONNECT where it is allowed", () => {
  expect(ownSettings(TEST_LIMITS.settings, "client")).toContainEqual([2, 0]);
  expect(ownSettings(TEST_LIMITS.settings, "server")).toContainEqual([8, 1]);
  expect(
    ownSettings({ ...TEST_LIMITS.settings, enableConnectProtocol: false }, "server").map(([id]) => id),
  ).not.toContain(8);
});

test("the peer's limit of streams is kept, also when it becomes smaller than what is open", () => {
  const peer = new ScriptedPeer("client");
  peer.send(settings([3, 2]));
  peer.open([[":method", "GET"]]);
  expect(peer.connection.room).toBe(1);
  peer.open([[":method", "GET"]]);
  peer.send(settings([3, 1]));
  expect(peer.connection.room).toBe(0);
  expect(() => peer.open([[":method", "GET"]])).toThrow("no room");
  expect(peer.connection.openStreams).toBe(2);
});

test("a table of ours below 4096 bytes binds the peer when it has acknowledged that, not before", () => {
  const toTableOf = (bytes: number): readonly number[] => [0x3f, bytes - 31, 0x82, 0x86, 0x84, 0x01, 1, 97];
  const sent = [toTableOf(100), [0x82, 0x86, 0x84, 0x01, 1, 97]] as const;
  const limits = testLimits({}, { headerTableSize: 128 });
  const codes = sent.map((block, index) => {
    const peer = new ScriptedPeer("server", { limits });
    peer.send(rawHeaders(1, block.slice(index === 0 ? 2 : 0)), settingsAck, rawHeaders(3, block));
    return [peer.calls.filter((call) => call.startsWith("request")).length, peer.connection.failure?.code];
  });
  expect(codes).toEqual([
    [2, undefined],
    [1, 9],
  ]);
});

test("a table that shrinks and grows in one frame is announced with both sizes (RFC 7541 section 4.2)", () => {
  const peer = new ScriptedPeer("client");
  peer.send(settings([1, 0], [1, 16_384]));
  peer.frames();
  peer.open([[":method", "GET"]]);
  const payload = peer
    .frames()
    .find(({ type }) => type === 1)
    ?.payload.subarray(0, 4);
  expect(payload).toEqual(Buffer.from([0x20, 0x3f, 0xe1, 0x1f]));
});

test("windows that a peer could overrun before it has read our SETTINGS are refused", () => {
  const make = (limits = TEST_LIMITS) => new ScriptedPeer("server", { limits });
  expect(() => make(testLimits({ connectionWindow: 65_534 }))).toThrow(RangeError);
  expect(() => make(testLimits({}, { initialWindowSize: 65_534 }))).toThrow(RangeError);
  expect(() => make()).not.toThrow();
});

const rawHeaders = (streamId: number, block: readonly number[]): Uint8Array => rawFrame(1, 5, streamId, block);
