/**
 * Looks for inputs on which a parser fails, guided by coverage.
 *
 *     npm run fuzz -- TARGET [--seconds N] [--seed S] [--save]
 *     npm run fuzz -- TARGET --input FILE
 *
 * Exit code: 0 nothing was found; 1 a crash, which was written to a file; 2 wrong use.
 */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readCorpus } from "./corpus.ts";
import { type Crash, fuzz, tryInput } from "./fuzz.ts";
import type { FuzzTarget } from "./target.ts";
import { FUZZ_TARGETS } from "./targets/all.ts";

const MAX_INPUT_BYTES = 4096;
const MAX_SAVED_BYTES = 256;

const USAGE = `npm run fuzz -- TARGET [--seconds N] [--seed S] [--save]
npm run fuzz -- TARGET --input FILE
  TARGET        ${FUZZ_TARGETS.map(({ name }) => name).join(", ")}
  --seconds N   how long to look (default 60)
  --seed S      where to begin (default: another one each time)
  --input FILE  runs this input alone
  --save        adds inputs of up to ${MAX_SAVED_BYTES} bytes that ran new code to test/fuzz/corpus/TARGET
  --help`;

const main = (): number => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string" },
      seed: { type: "string" },
      input: { type: "string" },
      save: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const target = FUZZ_TARGETS.find(({ name }) => name === positionals[0]);
  if (target === undefined) throw new TypeError(`no target ${JSON.stringify(positionals[0] ?? "")}`);
  if (values.input !== undefined) {
    const crash = tryInput(target, readFileSync(values.input));
    process.stdout.write(crash === undefined ? `${target.name}: all is well\n` : `${describe(crash)}\n`);
    return crash === undefined ? 0 : 1;
  }
  const seconds = natural(values.seconds ?? "60");
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : natural(values.seed);
  return search(target, seconds, seed, values.save === true);
};

const search = (target: FuzzTarget, seconds: number, seed: number, saves: boolean): number => {
  const end = performance.now() + seconds * 1000;
  const corpus = readCorpus(target.name);
  const isOver = (): boolean => performance.now() >= end;
  const { inputs, found, crash } = fuzz(target, { corpus, seed, maxInputBytes: MAX_INPUT_BYTES, isOver });
  const sum = `${target.name}: ${inputs} inputs of seed ${seed}, ${corpus.length} in the corpus, ${found.length} ran new code`;
  process.stdout.write(`${sum}\n`);
  if (saves) save(target, found);
  if (crash === undefined) return 0;
  const file = join(mkdtempSync(join(tmpdir(), "heddle-fuzz-")), target.name);
  writeFileSync(file, crash.input);
  process.stdout.write(`${describe(crash)}\nonce more: npm run fuzz -- ${target.name} --input ${file}\n`);
  return 1;
};

const save = (target: FuzzTarget, found: readonly Uint8Array[]): void => {
  const folder = join(import.meta.dirname, "corpus", target.name);
  mkdirSync(folder, { recursive: true });
  for (const input of found.filter(({ length }) => length <= MAX_SAVED_BYTES))
    appendFileSync(join(folder, "inputs.jsonl"), `${latin1Json(input)}\n`);
};

/** Nothing but visible ASCII, so that the file is text to every tool. */
const latin1Json = (bytes: Uint8Array): string =>
  JSON.stringify(Buffer.from(bytes).toString("latin1")).replaceAll(
    /[\x7f-\xff]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );

const describe = ({ input, error }: Crash): string =>
  `${latin1Json(input.subarray(0, 2000))}\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;

const natural = (text: string): number => {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new TypeError(`${JSON.stringify(text)} is not a number`);
};

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  process.stderr.write(`${error.message}\n${USAGE}\n`);
  process.exitCode = 2;
}
