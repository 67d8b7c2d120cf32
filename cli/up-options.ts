import { InvalidArgumentError } from "commander";
import { formatDuration, parseDuration } from "#mesh/duration.ts";
import { parseDnsLabel } from "#mesh/objects/metadata.ts";
import type { Result } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";

/** What the control plane takes as level, so that `heddle up` refuses others before anything is started. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** The bounds of the control plane (control-plane/settings.ts), which this folder may not load; a test compares them. */
const MIN_LEAF_LIFETIME_MS = 5_000;
const MAX_LEAF_LIFETIME_MS = 90 * 24 * 3_600_000;

/** @throws InvalidArgumentError unless it is a number from `min` to `max` */
export const wholeNumber =
  (max: number, min = 1) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`${min} to ${max} are possible`);
  };

/** @throws InvalidArgumentError unless identities can be made in it */
export const trustDomain = (text: string): string => valueOf(parseTrustDomain(text));

/** @throws InvalidArgumentError unless a namespace can have this name */
export const namespace = (text: string): string => valueOf(parseDnsLabel(text));

/** @throws InvalidArgumentError unless certificates can live so long */
export const leafLifetime = (text: string): string => {
  const lifetimeMs = valueOf(parseDuration(text));
  if (lifetimeMs >= MIN_LEAF_LIFETIME_MS && lifetimeMs <= MAX_LEAF_LIFETIME_MS) return text;
  const [min, max] = [formatDuration(MIN_LEAF_LIFETIME_MS), formatDuration(MAX_LEAF_LIFETIME_MS)];
  throw new InvalidArgumentError(`${min} to ${max} are possible`);
};

const valueOf = <Value>(parsed: Result<Value, string>): Value => {
  if (parsed.ok) return parsed.value;
  throw new InvalidArgumentError(parsed.error);
};
