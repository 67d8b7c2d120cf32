import { expect, test } from "vitest";
import { unwrap } from "../result.ts";
import { compileRegex, MAX_REGEX_WORK, matchesWithin } from "./linear-regex.ts";

const budget = () => ({ work: MAX_REGEX_WORK });

test.each([
  ["/v[0-9]+", "/v12", true],
  ["/v[0-9]+", "/v12/x", false],
  ["v1", "xv1", false],
  ["a|ab", "ab", true],
  ["(?i)CANARY", "canary", true],
  ["", "", true],
])("%j holds the whole of %j: %j", (pattern, text, expected) => {
  expect(matchesWithin(unwrap(compileRegex(pattern)), text, budget())).toBe(expected);
});

test.each([
  ["a mistake", "(", /missing closing/],
  ["a look-ahead, which linear time cannot do", "a(?=b)", /invalid/],
  ["a back reference", "(a)\\1", /invalid escape/],
  ["a long pattern", "a".repeat(1_025), /at most 1024 characters, not 1025/],
  ["a large program", "(a{0,30}){0,30}", /may have 1000/],
])("%s is refused with what is wrong", (_, pattern, message) => {
  const compiled = compileRegex(pattern);
  expect(compiled.ok ? "" : compiled.error).toMatch(message);
});

test("a text above 4 KiB matches nothing", () => {
  const regex = unwrap(compileRegex("a*"));
  expect(matchesWithin(regex, "a".repeat(4_096), budget())).toBe(true);
  expect(matchesWithin(regex, "a".repeat(4_097), budget())).toBe(false);
});

test("what one request spends on regular expressions is bounded over all of them", () => {
  const [regex, spent] = [unwrap(compileRegex("(?:.*x.{99})?a*")), budget()];
  const text = "a".repeat(1_000);
  const answers = Array.from({ length: 10 }, () => matchesWithin(regex, text, spent));
  expect(answers[0]).toBe(true);
  expect(answers.at(-1)).toBe(false);
  expect(spent.work).toBeGreaterThanOrEqual(0);
});

test("an automaton that texts of a peer make grow stays small, and right", () => {
  const regex = unwrap(compileRegex(".*x.{20}"));
  const sizes: number[] = [];
  let seed = 1;
  for (let round = 0; round < 20; round += 1) {
    const text = Array.from({ length: 1_000 }, () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % 7 < 3 ? "x" : "a";
    }).join("");
    expect(regex.matches(text)).toBe(text.at(-21) === "x");
    sizes.push(regex.keptStates());
  }
  expect(Math.max(...sizes)).toBeLessThan(4_000);
  expect(Math.max(...sizes)).toBeGreaterThan(0);
});
