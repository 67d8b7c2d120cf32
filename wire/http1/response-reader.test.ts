import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ResponseReader } from "./response-reader.ts";
import { bytesOf, cut, cutEverywhere, type Recorded, recordResponse } from "./testing/record.ts";
import { ACCEPTED_RESPONSES, GET, REJECTED_RESPONSES, response, to } from "./testing/response-cases.ts";

const whole = (text: string, awaited = GET, closes = true): readonly Recorded[] =>
  recordResponse([bytesOf(text)], { awaited, closes });
const contentOf = (recorded: readonly Recorded[]): string =>
  recorded.map((each) => (each.kind === "data" ? each.text : "")).join("");

test.each(ACCEPTED_RESPONSES)("%s", (_, awaited, bytes, framing, rebuild, isPersistent, content) => {
  const recorded = whole(bytes, awaited);
  expect(recorded.find(({ kind }) => kind === "error")).toBeUndefined();
  const first = recorded.find(({ kind }) => kind === "response");
  expect(first).toMatchObject({ kind: "response", head: { framing: { kind: framing }, isPersistent } });
  expect(first?.kind === "response" && (first.head.rebuild ?? "as is")).toBe(rebuild);
  expect(contentOf(recorded)).toBe(content);
  expect(recorded.filter(({ kind }) => kind === "end")).toHaveLength(framing === "tunnel" ? 0 : 1);
});

test.each(REJECTED_RESPONSES)("%s", (_, awaited, bytes, reason) => {
  expect(whole(bytes, awaited).at(-1)).toMatchObject({ kind: "error", reason, status: 502 });
});

test("the same in any pieces", () => {
  const all = [...ACCEPTED_RESPONSES, ...REJECTED_RESPONSES].map(([, awaited, bytes]) => ({ awaited, bytes }));
  for (const { awaited, bytes } of all.filter(({ bytes }) => bytes.length < 300)) {
    const expected = whole(bytes, awaited);
    for (let at = 1; at < bytes.length; at += 1)
      expect(recordResponse(cut(bytes, [at]), { awaited, closes: true })).toEqual(expected);
    expect(recordResponse(cutEverywhere(bytes), { awaited, closes: true })).toEqual(expected);
  }
  const pieces = fc
    .constantFrom(...all)
    .chain((one) => fc.tuple(fc.constant(one), fc.array(fc.nat({ max: one.bytes.length }), { maxLength: 9 })));
  fc.assert(
    fc.property(pieces, ([{ awaited, bytes }, at]) => {
      expect(recordResponse(cut(bytes, at), { awaited, closes: true })).toEqual(whole(bytes, awaited));
    }),
    { numRuns: 300 },
  );
});

test("informational responses come before the answer, each by itself", () => {
  const text =
    response("100 Continue") + response("103 Early Hints", "Link: </a>") + response("200 OK", "Content-Length: 0");
  const recorded = whole(text);
  expect(recorded.map(({ kind }) => kind)).toEqual(["informational", "informational", "response", "end"]);
  expect(recorded.map((each) => ("head" in each && "status" in each.head ? each.head.status : 0))).toEqual([
    100, 103, 200, 0,
  ]);
});

test.each([
  [to("GET", "websocket"), response("101 Switching", "Upgrade: websocket", "Connection: upgrade")],
  [to("CONNECT"), response("200 OK", "Content-Length: 3")],
])("what follows the head of a tunnel is left to the caller, however it is cut", (awaited, head) => {
  const text = `${head}HTTP/1.1 200 OK\r\n\r\n`;
  for (let at = 1; at < text.length; at += 1)
    expect(recordResponse(cut(text, [at]), { awaited }).slice(1)).toEqual([
      { kind: "rest", text: text.slice(head.length) },
    ]);
});

describe("a connection in a pool", () => {
  const reader = () => {
    const heads: number[] = [];
    const made = new ResponseReader({
      onInformational: () => {},
      onHead: ({ status }) => heads.push(status),
      onData: () => {},
      onEnd: () => {},
    });
    return { made, heads };
  };

  test("answers one request after the other", () => {
    const { made, heads } = reader();
    for (const status of [200, 404]) {
      expect(made.isIdle).toBe(true);
      made.await(GET);
      expect(made.isIdle).toBe(false);
      made.read(bytesOf(response(`${status} X`, "Content-Length: 0")));
    }
    expect(heads).toEqual([200, 404]);
  });

  test("is not used again after an answer that was the last", () => {
    const { made } = reader();
    made.await(GET);
    made.read(bytesOf(response("200 OK", "Connection: close", "Content-Length: 0")));
    expect(made.isIdle).toBe(false);
    expect(() => made.await(GET)).toThrow("cannot happen in state last");
  });

  test("is thrown away when it speaks unasked (H1-32)", () => {
    const { made, heads } = reader();
    expect(() => made.read(bytesOf(response("200 OK")))).toThrow("asked for nothing");
    expect(heads).toEqual([]);
    expect(made.isIdle).toBe(false);
  });

  test("may be closed by the server while it is idle", () => {
    const { made } = reader();
    expect(() => made.readEnd()).not.toThrow();
  });
});
