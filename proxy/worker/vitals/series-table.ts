import type { Labels, Series } from "../../channel/worker-report.ts";

/** Something that measures: a counter or a histogram. It puts itself into the list that it was made with, once until it is taken. */
export interface Instrument<Reading> {
  /** It has something to say, also where nothing has changed. */
  touch(): void;
  /** @returns what it says now: there is nothing to say until something changes */
  take(): Reading;
}

interface KnownSeries<Metric extends string, Item> {
  readonly series: Series<Metric>;
  readonly instrument: Item;
}

const OVERFLOW: Labels = { overflow: "true" };

/**
 * The series of one sort of metrics, by their labels. What comes beyond the limit is measured in one series of its metric
 * that says so: nothing is lost or counted twice.
 */
export class SeriesTable<Metric extends string, Item extends Instrument<unknown>> {
  readonly #known = new Map<string, KnownSeries<Metric, Item>>();
  /** Have something new to say. */
  readonly #due: Item[] = [];
  readonly #max: number;
  readonly #make: (id: number, due: Item[]) => Item;
  #unnamed: Series<Metric>[] = [];

  /**
   * @param max series beside those that say that there are too many
   * @param make what measures in a series; puts itself into `due` when it has something new to say
   */
  constructor(max: number, make: (id: number, due: Item[]) => Item) {
    this.#max = max;
    this.#make = make;
  }

  /**
   * Keep what you get: finding it takes longer than to measure with it.
   * @param labels in the same order for every series of a metric
   */
  get(metric: Metric, labels: Labels): Item {
    const key = `${metric}|${Object.values(labels).join("|")}`;
    const known = this.#known.get(key);
    if (known) return known.instrument;
    if (this.#known.size >= this.#max && labels !== OVERFLOW) return this.get(metric, OVERFLOW);
    const series = { id: this.#known.size, metric, labels };
    const instrument = this.#make(series.id, this.#due);
    this.#known.set(key, { series, instrument });
    this.#unnamed.push(series);
    return instrument;
  }

  /** @returns the series that are new since the last call, and a reading of all that measured something since then */
  take(): { readonly series: readonly Series<Metric>[]; readonly readings: readonly ReturnType<Item["take"]>[] } {
    const readings = this.#due.splice(0).map((instrument) => instrument.take() as ReturnType<Item["take"]>);
    const taken = { series: this.#unnamed, readings };
    this.#unnamed = [];
    return taken;
  }

  /** The next call of {@link take} tells everything. */
  startOver(): void {
    this.#unnamed = Array.from(this.#known.values(), ({ series }) => series);
    for (const { instrument } of this.#known.values()) instrument.touch();
  }
}
