const UNITS: readonly (readonly [unit: string, seconds: number])[] = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
];

/** How long something lasts, in its largest unit: `23h`, `4m`, `0s`. */
export const roughDuration = (durationMs: number): string => {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  const [unit, size] = UNITS.find(([, unitSeconds]) => seconds >= unitSeconds) ?? ["s", 1];
  return `${Math.floor(seconds / size)}${unit}`;
};

/** How long ago a time of RFC 3339 was. */
export const since = (time: string, nowMs: number): string => roughDuration(nowMs - Date.parse(time));

/** How far ahead a time of RFC 3339 is; `expired` if it is not. */
export const until = (time: string, nowMs: number): string => {
  const leftMs = Date.parse(time) - nowMs;
  return leftMs <= 0 ? "expired" : roughDuration(leftMs);
};
