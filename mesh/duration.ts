import { err, ok, type Result } from "./result.ts";

/** 99999h, the longest duration that four groups of five digits can name in one unit; also what a timer can hold. */
const MAX_DURATION_MS = 99_999 * 3_600_000;

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/**
 * Parses a Gateway API duration: one to four groups of up to five digits and a unit, as in "1h30m" or "250ms" (GEP-2257).
 * Units may come in any order and may repeat; there is no sign, no fraction and no bare number.
 * @returns milliseconds, or what is wrong with the text.
 */
export const parseDuration = (text: string): Result<number, string> => {
  if (!/^(?:[0-9]{1,5}(?:h|ms|m|s)){1,4}$/.test(text)) {
    return err(
      `${JSON.stringify(text)} is not a duration: write up to four groups like 1h30m or 250ms, units h m s ms`,
    );
  }
  let totalMs = 0;
  for (const [, digits = "", unit = ""] of text.matchAll(/([0-9]+)(h|ms|m|s)/g)) {
    totalMs += Number(digits) * (UNIT_MS[unit] ?? 0);
  }
  return totalMs <= MAX_DURATION_MS ? ok(totalMs) : err(`${JSON.stringify(text)} is longer than 99999h`);
};

/** Writes whole milliseconds as a Gateway API duration with the largest units first: 5400000 -> "1h30m", 0 -> "0s". */
export const formatDuration = (durationMs: number): string => {
  let restMs = durationMs;
  let text = "";
  for (const [unit, unitMs] of Object.entries(UNIT_MS)) {
    const count = Math.floor(restMs / unitMs);
    restMs -= count * unitMs;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === "" ? "0s" : text;
};
