import { type ConnectionEnds, workloadNumber } from "./tcp-labels.ts";

/** Ends that are kept at hand. */
const MAX_CACHED = 4_096;
/** More workloads than a worker ever sees. */
const SECOND = 2 ** 26;

interface Entry<Value> {
  readonly ends: ConnectionEnds;
  readonly value: Value;
}

/**
 * Values by the ends of connections and requests. It is asked for each of them: found by comparing, as to make a key of seven
 * parts takes longer than all counting.
 */
export class EndsCache<Value> {
  readonly #make: (ends: ConnectionEnds) => Value;
  /** By the numbers of the workloads: there is hardly ever more than one entry for a number. */
  readonly #entries = new Map<number, Entry<Value>[]>();
  #size = 0;

  /** @param make called with ends that do not change any more; what it made may be asked of it again later */
  constructor(make: (ends: ConnectionEnds) => Value) {
    this.#make = make;
  }

  get(ends: ConnectionEnds): Value {
    const key = workloadNumber(ends.source) * SECOND + workloadNumber(ends.destination);
    const entries = this.#entries.get(key);
    const found = entries?.find((entry) => isSame(entry.ends, ends));
    if (found) return found.value;
    return this.#add(key, { ...ends });
  }

  #add(key: number, ends: ConnectionEnds): Value {
    if (this.#size >= MAX_CACHED) this.#entries.clear();
    if (this.#entries.size === 0) this.#size = 0;
    const entry = { ends, value: this.#make(ends) };
    const entries = this.#entries.get(key);
    if (entries) entries.push(entry);
    else this.#entries.set(key, [entry]);
    this.#size++;
    return entry.value;
  }
}

/** The workloads are the same already. */
const isSame = (one: ConnectionEnds, other: ConnectionEnds): boolean =>
  one.reporter === other.reporter &&
  isSameService(one.service, other.service) &&
  one.sourcePrincipal === other.sourcePrincipal &&
  one.destinationPrincipal === other.destinationPrincipal &&
  one.isMutualTls === other.isMutualTls;

const isSameService = (one: ConnectionEnds["service"], other: ConnectionEnds["service"]): boolean =>
  one === other ||
  (one?.hostname === other?.hostname && one?.namespace === other?.namespace && one?.name === other?.name);
