export const ACCESS_LOG_MODES = ["all", "failures", "off"] as const;

/** Which connections and requests get a line in the access log (`HEDDLE_ACCESS_LOG`): agent and workers are told the same. */
export type AccessLogMode = (typeof ACCESS_LOG_MODES)[number];

/** @returns undefined where the text is no mode; without any text everything is told */
export const parseAccessLogMode = (text: string | undefined): AccessLogMode | undefined =>
  ACCESS_LOG_MODES.find((mode) => mode === (text || "all"));

/** What of it is there in a log of this level (`HEDDLE_LOG_LEVEL`): failures are warnings, everything else is information. */
export const modeAtLevel = (mode: AccessLogMode, level: string): AccessLogMode => {
  if (BEYOND_WARNINGS.has(level)) return "off";
  return mode === "all" && level === "warn" ? "failures" : mode;
};

const BEYOND_WARNINGS: ReadonlySet<string> = new Set(["error", "fatal", "silent"]);

/** What a person can follow, of each pod: a line has some 700 bytes, so that a pod under load writes 1.4 MB a second. */
const DEFAULT_ACCESS_LOG_RATE = "2000";
const MAX_ACCESS_LOG_RATE = 1_000_000;

/**
 * How many lines a pod has in a second (`HEDDLE_ACCESS_LOG_RATE`); those of failures are counted by themselves, so that they are
 * there when the others are too many.
 * @returns undefined where the text is no such number
 */
export const parseAccessLogRate = (text: string | undefined): number | undefined => {
  const rate = Number(text || DEFAULT_ACCESS_LOG_RATE);
  return Number.isInteger(rate) && rate >= 1 && rate <= MAX_ACCESS_LOG_RATE ? rate : undefined;
};

export const ACCESS_LOG_RATE_PROBLEM = `HEDDLE_ACCESS_LOG_RATE must be a number of lines a second, 1 to ${MAX_ACCESS_LOG_RATE}`;
