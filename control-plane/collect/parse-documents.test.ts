import { expect, test } from "vitest";
import { DEFAULT_FOLDER_LIMITS } from "./folder-limits.ts";
import { parseDocuments } from "./parse-documents.ts";

const parse = (text: string, limits = {}) => [...parseDocuments(text, { ...DEFAULT_FOLDER_LIMITS, ...limits })];
const values = (text: string) => parse(text).map(({ value }) => (value.ok ? value.value : "bad"));
const problemsOf = (text: string, limits = {}) =>
  parse(text, limits).flatMap(({ value }) => (value.ok ? [] : value.error));

test("documents are numbered from 1, and empty ones are not counted", () => {
  const documents = parse("# nothing\n---\n---\na: 1\n---\n# nothing\n---\nb: 2\n");
  expect(documents).toEqual([
    { number: 1, value: { ok: true, value: { a: 1 } } },
    { number: 2, value: { ok: true, value: { b: 2 } } },
  ]);
});

test.each([
  ["lines that end in CR LF", "a: 1\r\n---\r\nb: 2\r\n"],
  ["a directive before a document", "a: 1\n...\n%YAML 1.2\n---\nb: 2\n"],
  ["the end of a document", "a: 1\n...\nb: 2\n...\n"],
  ["a document on the line of its marker", "--- {a: 1}\n--- {b: 2}\n"],
])("%s does not hide a document", (_, text) => {
  expect(values(text)).toEqual([{ a: 1 }, { b: 2 }]);
});

test("a directive holds for the document that it stands before", () => {
  expect(values("%YAML 1.1\n---\na: yes\n---\nb: yes\n...\n%YAML 1.1\n---\nc: yes\n")).toEqual([
    { a: true },
    { b: "yes" },
    { c: true },
  ]);
});

test("JSON is read too, whatever it is indented with", () => {
  expect(values('{\n\t"a": [1,\n\t\t2]\n}\n')).toEqual([{ a: [1, 2] }]);
});

test("a mistake in one document leaves the others as they are, even where it would swallow them", () => {
  expect(values('a: "never closed\n---\nb: 2\n---\nc: [\n---\nd: 4\n')).toEqual(["bad", { b: 2 }, "bad", { d: 4 }]);
});

test("the line of a mistake is the file's, not the document's", () => {
  expect(problemsOf("a: 1\n---\nb: 2\n---\nc:\n\td: 1\n")).toEqual([
    { path: "", message: "line 6, column 1: Tabs are not allowed as indentation" },
  ]);
});

test("X-10: merge keys are taken as kubectl takes them", () => {
  expect(values("base: &base {x: 1}\nmore:\n  <<: *base\n  y: 2\n")).toEqual([
    { base: { x: 1 }, more: { x: 1, y: 2 } },
  ]);
});

test.each([
  ["a key twice", "metadata:\n  labels:\n    a: 1\n    a: 2\n", "metadata.labels.a", /twice/],
  ["a key twice in JSON", '{"a": 1, "a": 2}', "a", /twice/],
  ["the key __proto__", "metadata:\n  __proto__: {admin: true}\n", "metadata.__proto__", /not a key/],
  ["the key __proto__ in a list", '{"a": [{"__proto__": 1}]}', "a[0].__proto__", /not a key/],
  ["a byte order mark inside the text", "a: 1\n---\n\uFEFFb: 2\n", "", /byte order mark/],
  ["a tag that nobody knows", "a: !secret x\n", "", /line 1, column 4: Unresolved tag/],
  ["a list as a key", "? [a, b]\n: 1\n", "", /line 1, column 3: .*keys must be strings/],
  ["an anchor that is not there", "a: *b\n", "", /Unresolved alias/],
  ["an anchor inside itself", "a: &a [*a]\n", "a[0]", /\*a is used inside itself/],
])("X-10: %s is a problem that says where it is", (_, text, path, message) => {
  const problems = problemsOf(text);
  expect(problems.map((problem) => problem.path)).toEqual([path]);
  expect(problems[0]?.message).toMatch(message);
});

test("X-10: anchors that unfold to millions are refused before they are unfolded", () => {
  const levels = "bcdefghi".split("").map((name, index) => {
    const below = String.fromCharCode("a".charCodeAt(0) + index);
    return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${below}`).join(", ")}]`;
  });
  expect(problemsOf(`a: &a [x, x, x, x, x, x, x, x, x]\n${levels.join("\n")}\n`)).toEqual([
    { path: "", message: expect.stringMatching(/line 1: Excessive alias count/) as string },
  ]);
});

test.each([
  ["flow", "[".repeat(20_000)],
  ["block", Array.from({ length: 3_000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n")],
  ["closed", `${"[".repeat(100)}${"]".repeat(100)}`],
])("X-10: nesting without end (%s) is a problem and no crash", (_, text) => {
  expect(problemsOf(text).length).toBeGreaterThan(0);
});

test("X-10: a hundred thousand keys take seconds and not minutes", () => {
  const keys = Array.from({ length: 100_000 }, (_, index) => `k${index}: 1`).join("\n");
  expect(problemsOf(keys)).toEqual([]);
}, 15_000);

test("X-10: a document over the limit is refused by its size, and names the line it begins at", () => {
  expect(problemsOf(`a: 1\n---\nb: ${"x".repeat(100)}\n`, { maxDocumentBytes: 50 })).toEqual([
    { path: "", message: "line 2: a document of 108 bytes is larger than 50; split it" },
  ]);
});
