export const ACCESS_LOG_MODES = ["all", "failures", "off"] as const;

/** Which connections and requests get a line in the access log (`HEDDLE_ACCESS_LOG`): agent and workers are told the same. */
export type AccessLogMode = (typeof ACCESS_LOG_MODES)[number];

/** @returns undefined where the text is no mode; without any text everything is told */
export const parseAccessLogMode = (text: string | undefined): AccessLogMode | undefined =>
  ACCESS_LOG_MODES.find((mode) => mode === (text || "all"));
