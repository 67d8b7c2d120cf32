/** How long to wait before trying again. */
export interface BackoffSettings {
  readonly firstMs: number;
  readonly maxMs: number;
  /** 0.2: each delay is spread over plus and minus 20 %, so that many clients do not return together. */
  readonly jitter: number;
}

/**
 * The delay before attempt `attempt` (0 is the first retry), doubling up to a limit, with jitter.
 * @param random a number from 0 to 1, as from Math.random
 * @returns milliseconds
 */
export const backoffDelayMs = (settings: BackoffSettings, attempt: number, random: () => number): number => {
  const doubled = settings.firstMs * 2 ** Math.min(attempt, 30);
  const spread = 1 + settings.jitter * (2 * random() - 1);
  return Math.min(doubled, settings.maxMs) * spread;
};
