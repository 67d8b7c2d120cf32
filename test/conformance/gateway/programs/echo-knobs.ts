/** What the query of a request asks of the echo server. */
export interface Knobs {
  /** Before it answers. */
  readonly delayMs: number;
  readonly status: number;
  readonly fields: readonly (readonly [string, string])[];
  /** The connection is reset instead of an answer. */
  readonly isReset: boolean;
}

/** How often each `uuid` was asked for. */
export type Attempts = Map<string, number>;

/**
 * Reads `delay=300ms`, `headers=a:b,c:d`, `codes=500:90,200:10` and, of a client that tries again,
 * `uuid=…&succeedAfter=2&responseCode=503&delayRetry=300ms`: so many failures, late ones if wanted, then 200. Without
 * `responseCode` such a failure is a reset.
 * @param random in [0, 1)
 */
export const readKnobs = (query: URLSearchParams, attempts: Attempts, random: () => number): Knobs => {
  const uuid = query.get("uuid");
  const fields = list(query.get("headers")).map((pair): readonly [string, string] => {
    const colon = pair.indexOf(":");
    return colon < 0 ? [pair, ""] : [pair.slice(0, colon), pair.slice(colon + 1)];
  });
  const usual = {
    delayMs: milliseconds(query.get("delay")),
    status: chooseStatus(list(query.get("codes")), random()),
    fields,
    isReset: false,
  };
  if (uuid === null) return usual;
  const count = (attempts.get(uuid) ?? 0) + 1;
  attempts.set(uuid, count);
  if (count > Number(query.get("succeedAfter"))) return usual;
  const status = query.get("responseCode");
  return {
    ...usual,
    delayMs: milliseconds(query.get("delayRetry")),
    status: Number(status ?? 500),
    isReset: status === null,
  };
};

const list = (text: string | null): readonly string[] => (text === null || text === "" ? [] : text.split(","));

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A duration such as `1s500ms`. */
const milliseconds = (text: string | null): number =>
  [...(text ?? "").matchAll(/([0-9.]+)(ms|s|m|h)/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * (UNITS[unit ?? ""] ?? 0),
    0,
  );

/** One of the statuses, by weight; 200 without any. */
const chooseStatus = (codes: readonly string[], random: number): number => {
  const weighted = codes.map((code) => {
    const [status = "", weight = "1"] = code.split(":");
    return { status: Number(status), weight: Number(weight) };
  });
  let rest = random * weighted.reduce((sum, { weight }) => sum + weight, 0);
  return weighted.find(({ weight }) => (rest -= weight) < 0)?.status ?? 200;
};
