import { err, ok, type Result } from "#mesh/result.ts";

/** What h2load says of a run of a certain duration. */
export interface H2loadReport {
  readonly succeeded: number;
  readonly failed: number;
  readonly perSecond: number;
}

/**
 * Reads the text that h2load prints:
 *
 *     finished in 1.00s, 49500.00 req/s, 6.12MB/s
 *     requests: 49500 total, 49564 started, 49500 done, 49500 succeeded, 0 failed, 0 errored, 0 timeout
 *
 * Those that errored or ran out of time are counted among the failed.
 */
export const parseH2loadOutput = (text: string): Result<H2loadReport, string> => {
  const rate = /^finished in [^,]+, ([0-9.]+) req\/s/m.exec(text)?.[1];
  const counts = /^requests: .* ([0-9]+) succeeded, ([0-9]+) failed,/m.exec(text);
  if (rate === undefined || !counts) return err(`h2load said: ${text.trim()}`);
  return ok({ succeeded: Number(counts[1]), failed: Number(counts[2]), perSecond: Number(rate) });
};
