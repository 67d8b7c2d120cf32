/** What was measured: for each metric and way one value for each round, undefined where it failed. */
export class Results {
  readonly rounds: number;
  readonly #values = new Map<string, Map<string, (number | undefined)[]>>();
  readonly #notes: string[] = [];

  constructor(rounds: number) {
    this.rounds = rounds;
  }

  add(round: number, way: string, values: Readonly<Record<string, number>>): void {
    for (const [metric, value] of Object.entries(values)) {
      const ways = this.#values.getOrInsertComputed(metric, () => new Map());
      const values = ways.getOrInsertComputed(way, () => []);
      while (values.length < round) values.push(undefined);
      values[round] = value;
    }
  }

  /** Something that a reader of the numbers must know. */
  note(text: string): void {
    if (!this.#notes.includes(text)) this.#notes.push(text);
  }

  get notes(): readonly string[] {
    return this.#notes;
  }

  /** @returns one value for each round; empty where nothing was measured */
  of(metric: string, way: string): readonly (number | undefined)[] {
    return this.#values.get(metric)?.get(way) ?? [];
  }

  toJSON(): object {
    const values = [...this.#values].map(([metric, ways]) => [metric, Object.fromEntries(ways)] as const);
    return { rounds: this.rounds, values: Object.fromEntries(values), notes: this.#notes };
  }
}
