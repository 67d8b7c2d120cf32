/** One line of a Prometheus exposition that says a value. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Prometheus text format 0.0.4, as its documentation writes it down. */
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/g;
const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
const TYPES = new Set(["counter", "gauge", "histogram", "summary", "untyped"]);

/**
 * For tests: reads an exposition as strictly as Prometheus does.
 * @throws Error on a malformed line, a metric whose lines are not together, a type that comes late or twice, a sample twice
 */
export const readExposition = (text: string): readonly Sample[] => {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const samples: Sample[] = [];
  const seen = new Set<string>();
  const families: string[] = [];
  let isHistogram = false;
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = COMMENT.exec(line);
    const sample = comment ? undefined : readSample(line);
    const name = comment?.[2] ?? familyOf(sample?.name ?? "", isHistogram ? families.at(-1) : undefined);
    if (families.at(-1) !== name) {
      if (families.includes(name)) throw new Error(`the lines of ${name} are not together`);
      if (!comment) throw new Error(`${name} has no type`);
      families.push(name);
    }
    if (comment?.[1] === "TYPE") isHistogram = comment[3] === "histogram";
    if (comment?.[1] === "TYPE" && !TYPES.has(comment[3] ?? "")) throw new Error(`${line}: no type`);
    const key = comment ? `${comment[1]} ${name}` : JSON.stringify([sample?.name, byName(sample?.labels ?? {})]);
    if (seen.has(key)) throw new Error(`${line}: said twice`);
    seen.add(key);
    if (sample) samples.push(sample);
  }
  return samples;
};

/** The samples of a histogram have names of their own, which begin with its name. */
const familyOf = (name: string, histogram: string | undefined): string => {
  if (histogram === undefined || !name.startsWith(histogram)) return name;
  if (name === histogram) throw new Error(`${name} is a histogram and has no value`);
  return HISTOGRAM_SUFFIXES.has(name.slice(histogram.length)) ? histogram : name;
};

const HISTOGRAM_SUFFIXES = new Set(["_bucket", "_sum", "_count"]);

const byName = (labels: Sample["labels"]): readonly unknown[] =>
  Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));

const readSample = (line: string): Sample => {
  const [, name, labels = "", value = ""] = SAMPLE.exec(line) ?? [];
  if (name === undefined || value === "" || Number.isNaN(Number(value))) throw new Error(`${line}: malformed`);
  const entries = [...labels.matchAll(LABEL)].map(([, key = "", text = ""]): [string, string] => [key, unescape(text)]);
  if (new Set(entries.map(([key]) => key)).size !== entries.length) throw new Error(`${line}: a label twice`);
  return { name, labels: Object.fromEntries(entries), value: Number(value) };
};

const unescape = (text: string): string =>
  text.replaceAll(/\\([\\"n])/g, (_, character: string) => (character === "n" ? "\n" : character));
