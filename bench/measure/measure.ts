import type { Way } from "../ways/way.ts";

/** What a measurement is made with. */
export interface Setting {
  /** How long one measurement lasts. */
  readonly seconds: number;
  /** How long to wait until processes have calmed down, where memory is measured. */
  readonly settleSeconds: number;
  /** How long the warm-up of a measurement may last. */
  readonly maxWarmUpSeconds: number;
  /** Something that a reader of the numbers must know. */
  readonly note: (text: string) => void;
}

/** One measurement of one way. */
export interface Measure {
  readonly title: string;
  /** How long it takes until nothing of what it calls is compiled any more; undefined: others have seen to that. */
  readonly warmUpSeconds?: number;
  readonly isFor: (way: Way) => boolean;
  /** @returns values by metric; those that make no sense for this way are not there */
  readonly run: (setting: Setting, way: Way) => Promise<Readonly<Record<string, number>>>;
}
