import { expect, test } from "vitest";
import { settle, type SeenFiles, withRead } from "./settle.ts";

const SETTLE_MS = 200;

/** Looks at times with stamps by path; a path that is undefined is not there. Each due file is read at once. */
const looks = (...seen: [number, Readonly<Record<string, string>>, string[]?][]) => {
  let state: SeenFiles = new Map();
  return seen.map(([now, files, unseen = []]) => {
    const look = { files: new Map(Object.entries(files)), problems: new Map(), unseen };
    const due = settle(state, look, now, SETTLE_MS);
    state = withRead(due.seen, new Set(due.toRead));
    return { read: due.toRead, gone: due.gone };
  });
};

const NOTHING = { read: [], gone: [] };

test("a file is read when its stamp has not changed for a while", () => {
  expect(looks([0, { a: "1" }], [100, { a: "1" }], [200, { a: "1" }], [300, { a: "1" }])).toEqual([
    NOTHING,
    NOTHING,
    { read: ["a"], gone: [] },
    NOTHING,
  ]);
});

test("a file that is being written is left alone until it rests", () => {
  expect(looks([0, { a: "1" }], [200, { a: "2" }], [400, { a: "3" }], [600, { a: "3" }]).at(-1)?.read).toEqual(["a"]);
  expect(looks([0, { a: "1" }], [200, { a: "2" }], [400, { a: "3" }]).flatMap(({ read }) => read)).toEqual([]);
});

test("a clock that is set back does not keep a file from being read", () => {
  expect(looks([900_000, { a: "1" }], [5, { a: "1" }], [205, { a: "1" }]).at(-1)?.read).toEqual(["a"]);
});

test("a file that is replaced by removing and making it again was never gone", () => {
  const all = looks([0, { a: "1" }], [200, { a: "1" }], [400, {}], [500, { a: "2" }], [700, { a: "2" }]);
  expect(all.flatMap(({ gone }) => gone)).toEqual([]);
  expect(all.at(-1)?.read).toEqual(["a"]);
});

test("a file that stays away is gone, once", () => {
  const all = looks([0, { a: "1" }], [200, { a: "1" }], [400, {}], [600, {}], [800, {}]);
  expect(all.map(({ gone }) => gone)).toEqual([[], [], [], ["a"], []]);
});

test.each([[""], ["x"], ["x/a"]])("what is in %j is not gone while that cannot be looked at", (unseen) => {
  const all = looks([0, { "x/a": "1" }], [200, { "x/a": "1" }], [400, {}, [unseen]], [900, {}, [unseen]]);
  expect(all.flatMap(({ gone }) => gone)).toEqual([]);
});

test("a file is read once more when a coarse clock must have moved on: it may have been written twice in one tick", () => {
  const all = looks([0, { a: "1" }], [200, { a: "1" }], [2_400, { a: "1" }], [2_500, { a: "1" }], [9_000, { a: "1" }]);
  expect(all.map(({ read }) => read.length)).toEqual([0, 1, 0, 1, 0]);
});
