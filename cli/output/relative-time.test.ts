import { expect, test } from "vitest";
import { roughDuration, since, until } from "./relative-time.ts";

test.each([
  [0, "0s"],
  [59_999, "59s"],
  [60_000, "1m"],
  [3_600_000, "1h"],
  [86_399_000, "23h"],
  [10 * 86_400_000, "10d"],
  [-5, "0s"],
])("%i ms are about %s", (durationMs, text) => {
  expect(roughDuration(durationMs)).toBe(text);
});

test("a time is told from now", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  expect(since("2026-01-01T11:30:00Z", now)).toBe("30m");
  expect(until("2026-01-02T11:00:00Z", now)).toBe("23h");
  expect(until("2026-01-01T12:00:00Z", now)).toBe("expired");
});
