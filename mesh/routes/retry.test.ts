import { expect, test } from "vitest";
import { type AttemptEnd, shouldRetry } from "./retry.ts";

const response = (status: number): AttemptEnd => ({ kind: "response", status });
const broken: AttemptEnd = { kind: "connection-error" };

// Rows of facts section 6; attempts count retries.
test.each<[string, readonly number[], number, AttemptEnd, boolean]>([
  ["a status that is listed", [500], 1, response(500), true],
  ["a status that is not listed", [500], 1, response(503), false],
  ["the last retry", [500], 3, response(500), true],
  ["no retry after the last", [500], 4, response(500), false],
  ["a connection error without codes", [], 3, broken, true],
  ["a connection error after the last retry", [], 4, broken, false],
])("%s", (_, codes, attempts, end, expected) => {
  expect(shouldRetry({ codes, attempts: 3, backoffMs: undefined }, attempts, end)).toBe(expected);
  expect(shouldRetry(undefined, attempts, end)).toBe(false);
});
