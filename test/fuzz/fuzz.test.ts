import { expect, test } from "vitest";
import { readCorpus } from "./corpus.ts";
import { fuzz, tryInput } from "./fuzz.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";
import { BrokenInvariant, type FuzzTarget, mustEqual, pieces } from "./target.ts";
import { FUZZ_TARGETS } from "./targets/all.ts";
import { planted } from "./testing/planted.ts";

const RANDOM_INPUTS = 300;

test.each(FUZZ_TARGETS.map((target) => [target.name, target] as const))(
  "%s holds for its corpus and some changes of it",
  (name, target) => {
    const corpus = readCorpus(name);
    expect(corpus.length).toBeGreaterThan(3);
    const random = new Random(1);
    const ingredients = { dictionary: target.dictionary, others: corpus, maxBytes: 4096 };
    const changed = Array.from({ length: RANDOM_INPUTS }, () => mutate(random.of(corpus), ingredients, random));
    for (const input of [...corpus, ...changed]) expect(() => target.run(input)).not.toThrow();
  },
);

const PLANTED: FuzzTarget = {
  name: "planted",
  dictionary: [Uint8Array.of(0)],
  script: "/test/fuzz/testing/planted.ts",
  run: planted,
};

const MAX_INPUTS = 2_000_000;
const search = (script: string, inputs: number) =>
  fuzz(
    { ...PLANTED, script },
    {
      corpus: [Buffer.from("hello")],
      seed: 1,
      maxInputBytes: 16,
      inputsPerLook: 1024,
      isOver: (tried) => tried >= inputs,
    },
  );

test("coverage finds five bytes in a row", { timeout: 60_000 }, () => {
  const { inputs, crash, found } = search(PLANTED.script, MAX_INPUTS);
  expect(crash?.error).toMatchObject({ message: "the planted fault" });
  expect([...(crash?.input.subarray(0, 5) ?? [])]).toEqual([0x68, 0xed, 0xd1, 0x07, 0x5a]);
  expect(found.length).toBeGreaterThan(2);
  // As many inputs without it find nothing.
  expect(search("no such script", inputs).crash).toBeUndefined();
});

test("an input that takes too long is a crash, if it does so each time", () => {
  const spin = (ms: number): void => {
    for (const end = performance.now() + ms; performance.now() < end;);
  };
  let runs = 0;
  const run = (): void => {
    runs += 1;
    if (runs === 1) spin(120);
  };
  expect(tryInput({ ...PLANTED, run }, Uint8Array.of())).toBeUndefined();
  expect(tryInput({ ...PLANTED, run: () => spin(120) }, Uint8Array.of())?.error).toMatchObject({
    message: expect.stringContaining("for 0 bytes"),
  });
});

test("a broken invariant says what differs", () => {
  expect(() => mustEqual("a rule", [1], [1])).not.toThrow();
  expect(() => mustEqual("a rule", [1], [2])).toThrow(BrokenInvariant);
});

test("pieces are the input, cut in the same way each time", () => {
  for (const length of [0, 1, 2, 100]) {
    const input = Uint8Array.from({ length }, (_, i) => i * 7);
    expect(Buffer.concat(pieces(input))).toEqual(Buffer.from(input));
    expect(pieces(input)).toEqual(pieces(input));
  }
});

test("a seed gives the same changes again, and another one others", () => {
  const changes = (seed: number): string => {
    const random = new Random(seed);
    const ingredients = { dictionary: [Buffer.from("word")], others: [Buffer.from("other")], maxBytes: 64 };
    return Array.from({ length: 50 }, () =>
      Buffer.from(mutate(Buffer.from("input"), ingredients, random)).toString("hex"),
    ).join();
  };
  expect(changes(1)).toBe(changes(1));
  expect(changes(1)).not.toBe(changes(2));
});
