import type { Log } from "../log.ts";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly facts: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A log that keeps its lines for a test to read. */
export const memoryLog = (): Log & { readonly lines: readonly LogLine[] } => {
  const lines: LogLine[] = [];
  const at = (level: LogLine["level"]) => (facts: object, message: string) =>
    void lines.push({ level, facts: { ...facts }, message });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
};
