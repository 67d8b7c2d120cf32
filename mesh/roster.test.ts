import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Roster } from "./roster.ts";

test("holds what was added and not taken out, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("add"), fc.nat(20)), { maxLength: 60 }), (steps) => {
      const roster = new Roster<number>();
      const places = steps.flatMap((step, number) => (step === "add" ? [roster.add(number)] : []));
      const model = new Set(places.map(({ item }) => item));
      for (const step of steps) {
        const place = step === "add" ? undefined : places[step];
        if (!place) continue;
        roster.delete(place);
        model.delete(place.item);
        expect([...roster].toSorted((a, b) => a - b)).toEqual([...model]);
      }
    }),
  );
});

test("all get their turn while some are taken out, and those get none", () => {
  const roster = new Roster<string>();
  const places = ["a", "b", "c", "d"].map((name) => roster.add(name));
  const seen: string[] = [];
  for (const name of roster) {
    seen.push(name);
    // The first that comes takes out itself, and one that is still to come.
    if (seen.length === 1) for (const at of [0, 2]) roster.delete(places[at] ?? roster.add(""));
    roster.add("new");
  }
  expect(seen).toEqual(["a", "b", "d"]);
});
