/** How important a line is, with pino's numbers, so that the logs of all processes look the same. */
const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;

export type LogLevel = keyof typeof LEVELS;

export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Writes JSON lines to stdout. The supervisor has no logging library: it loads nothing that it does not have to. */
export const stdoutLog =
  (base: Readonly<Record<string, unknown>>): Log =>
  (level, message, fields = {}) => {
    const line = { level: LEVELS[level], time: Date.now(), ...base, ...fields, msg: message };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
