import { array, assert, constantFrom, integer, property, tuple, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { encodeFrame, type ExecFrame, ExecFrameDecoder, exitFrame, parseExecStart } from "./exec-frames.ts";

const kinds = constantFrom("start", "stdin", "stdin-end", "stdout", "stderr", "exit", "error");

test("any split of the bytes gives the frames that were written", () => {
  assert(
    property(
      array(tuple(kinds, uint8Array({ maxLength: 40 }))),
      array(integer({ min: 1, max: 30 })),
      (written, cuts) => {
        const bytes = Buffer.concat(written.map(([kind, payload]) => encodeFrame(kind, payload)));
        const decoder = new ExecFrameDecoder();
        const read: ExecFrame[] = [];
        let position = 0;
        for (const size of [...cuts, bytes.length + 1]) {
          read.push(...unwrap(decoder.push(bytes.subarray(position, position + size))));
          position += size;
        }
        expect(read.map(({ kind, payload }) => [kind, [...payload]])).toEqual(
          written.map(([kind, payload]) => [kind, [...payload]]),
        );
      },
    ),
  );
});

test("an exit code is four bytes", () => {
  expect([...exitFrame(137)]).toEqual([5, 0, 0, 0, 4, 0, 0, 0, 137]);
});

test.each([
  ["a kind that nobody knows", Buffer.from([9, 0, 0, 0, 0])],
  ["a payload that nobody would send", Buffer.from([1, 0xff, 0xff, 0xff, 0xff])],
])("%s ends the connection", (_, bytes) => {
  expect(new ExecFrameDecoder().push(bytes).ok).toBe(false);
});

test.each([
  ["{ half", false],
  ["{}", false],
  ['{"namespace":"shop","pod":"web","command":[]}', false],
  ['{"namespace":"shop","pod":"web","command":["ls"],"stdin":false}', true],
])("%s is a start: %s", (text, isStart) => {
  expect(parseExecStart(Buffer.from(text)).ok).toBe(isStart);
});
