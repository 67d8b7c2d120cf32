import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { HttpWriter } from "../../http/message.ts";
import { ByteBudget } from "./byte-budget.ts";
import { KeptContent } from "./kept-content.ts";

const MAX = 64 * 1024;

/** Everything that is written, and in how many pieces. */
const sent = (kept: KeptContent): { readonly bytes: Buffer; readonly pieces: number } => {
  const pieces: Buffer[] = [];
  const writer = { write: (bytes: Uint8Array) => pieces.push(Buffer.from(bytes)) > 0 } as unknown as HttpWriter;
  kept.sendTo(writer);
  return { bytes: Buffer.concat(pieces), pieces: pieces.length };
};

test("what is kept is sent whole and in order, as often as it is asked for, however it came", () => {
  const piece = fc.uint8Array({ maxLength: 3_000 });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const kept = new KeptContent(new ByteBudget(MAX), MAX);
      for (const bytes of pieces) {
        const lent = Buffer.from(bytes);
        kept.received(bytes.length);
        if (kept.mayKeep(bytes.length)) kept.add(lent);
        lent.fill(0xff);
      }
      expect(kept.isWhole).toBe(true);
      for (let times = 0; times < 2; times++) expect(sent(kept).bytes).toEqual(Buffer.concat(pieces));
    }),
  );
});

test("content that comes byte by byte is kept in few pieces, and later bytes do not change what was sent", () => {
  const kept = new KeptContent(new ByteBudget(MAX), MAX);
  for (let at = 0; at < 40_000; at++) kept.add(Buffer.of(at % 251));
  expect(sent(kept).pieces).toBeLessThan(10);
  expect(sent(kept).bytes).toEqual(Buffer.from(Array.from({ length: 40_000 }, (_, at) => at % 251)));
});

test("the bounds of the request and of the pod hold, and what is forgotten is given back", () => {
  const budget = new ByteBudget(100);
  const [one, other] = [new KeptContent(budget, 80), new KeptContent(budget, 80)];
  expect([one.mayKeep(81), one.mayKeep(80), other.mayKeep(21), other.mayKeep(20)]).toEqual([false, true, false, true]);
  one.add(Buffer.alloc(80));
  expect(one.mayKeep(1)).toBe(false);
  one.forget();
  expect([budget.used, other.mayKeep(60)]).toEqual([20, true]);
});

test("what was forgotten, or never kept, is not whole", () => {
  const kept = new KeptContent(new ByteBudget(100), 100);
  kept.received(3);
  expect(kept.isWhole).toBe(false);
  kept.add(Buffer.from("abc"));
  expect(kept.isWhole).toBe(true);
  kept.forget();
  expect([kept.isWhole, sent(kept).bytes.length]).toEqual([false, 0]);
});
