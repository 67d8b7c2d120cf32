import { err, ok, type Result } from "#mesh/result.ts";

/** What wrk says of a run with `--latency`. */
export interface WrkReport {
  readonly requests: number;
  readonly seconds: number;
  /** Of whole answers, in microseconds. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** Connects, reads and writes that failed, timeouts, and answers that are neither 2xx nor 3xx. */
  readonly errors: number;
}

/**
 * Reads the text that wrk prints:
 *
 *     Latency Distribution
 *        50%  418.00us
 *        99%    1.24ms
 *     23456 requests in 1.00s, 3.51MB read
 *     Socket errors: connect 0, read 3, write 0, timeout 0
 *     Non-2xx or 3xx responses: 7
 */
export const parseWrkOutput = (text: string): Result<WrkReport, string> => {
  const total = /^\s*([0-9]+) requests in ([0-9.]+)(us|ms|s|m|h),/m.exec(text);
  const p50Us = percentile(text, 50);
  const p99Us = percentile(text, 99);
  if (!total || p50Us === undefined || p99Us === undefined) return err(`wrk said: ${text.trim()}`);
  const [, requests, time, unit = ""] = total;
  const socketErrors = /^\s*Socket errors: (.*)$/m.exec(text)?.[1] ?? "";
  const refused = /^\s*Non-2xx or 3xx responses: ([0-9]+)$/m.exec(text)?.[1] ?? 0;
  const errors = [...socketErrors.matchAll(/[0-9]+/g)].reduce((sum, [count]) => sum + Number(count), Number(refused));
  return ok({ requests: Number(requests), seconds: inUs(Number(time), unit) / 1e6, p50Us, p99Us, errors });
};

const percentile = (text: string, percent: number): number | undefined => {
  const found = new RegExp(`^\\s*${percent}%\\s+([0-9.]+)(us|ms|s|m|h)$`, "m").exec(text);
  return found ? inUs(Number(found[1]), found[2] ?? "") : undefined;
};

const UNIT_US: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, m: 60e6, h: 3600e6 };

const inUs = (value: number, unit: string): number => value * (UNIT_US[unit] ?? Number.NaN);
