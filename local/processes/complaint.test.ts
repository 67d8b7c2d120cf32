import { expect, test } from "vitest";
import { complaintIn, OutputTail } from "./complaint.ts";

const UNCAUGHT = `file:///srv/heddle/main.ts:3
throw new TypeError("no such thing", { cause });
^

TypeError: no such thing
    at file:///srv/heddle/main.ts:3:7
    at async node:internal/main:1:1 {
  cause: { errno: -2 }
}

Node.js v26.10.0
`;

test.each([
  ["nothing", "", "", undefined],
  [
    "a complaint",
    "",
    "loading\nheddle supervisor: settings: HEDDLE_NODE is not set\n",
    "heddle supervisor: settings: HEDDLE_NODE is not set",
  ],
  ["an error that nobody caught", "", UNCAUGHT, "TypeError: no such thing"],
  ["a line of pino", '{"level":"info","msg":"a"}\n{"level":"error","msg":"it cannot start"}\n', "", "it cannot start"],
  [
    "a line with a number as level",
    '{"level":50,"msg":"it cannot start"}\n{"level":30,"msg":"bye"}\n',
    "",
    "it cannot start",
  ],
  ["a log in which all is well", '{"level":"info","msg":"it serves"}\nplain\nnull\n', "", undefined],
])("what a process complained about, where it wrote %s", (_, stdout, stderr, complaint) => {
  expect(complaintIn(stdout, stderr)).toBe(complaint);
});

test("a process that writes without end, or without a line's end, is not kept whole", () => {
  const tail = new OutputTail();
  for (let count = 0; count < 100; count++) tail.add("stderr", Buffer.from("x".repeat(1_000)));
  expect(tail.complaint).toBe("x".repeat(400));
});
