import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SpareDescriptors } from "./spare-descriptors.ts";

/** A process that may have so many more descriptors. */
const processWith = (room: number) => {
  const given = {
    room,
    open: (): number => {
      if (given.room === 0) throw new Error("EMFILE: too many open files");
      return given.room--;
    },
    close: (): void => {
      given.room++;
    },
  };
  return given;
};

test("two descriptors are kept, are there for others where none is left, and are taken back when there are more", () => {
  const own = processWith(5);
  const spares = new SpareDescriptors(own);
  expect(own.room).toBe(3);
  expect(spares.look()).toBeUndefined();
  expect(own.room).toBe(3);
  own.room = 0;
  expect(spares.look()).toBe("none-left");
  expect(own.room).toBe(2);
  expect(spares.look()).toBeUndefined();
  expect(own.room).toBe(2);
  own.room = 3;
  spares.look();
  expect(own.room).toBe(1);
});

test("that none is left is said once a minute, and that it is over once, after five looks that found one", () => {
  const own = processWith(5);
  const spares = new SpareDescriptors(own);
  own.room = 0;
  const looks = Array.from({ length: 61 }, () => {
    own.room = 0;
    return spares.look();
  });
  expect(looks.flatMap((what, index) => (what === undefined ? [] : [[index, what]]))).toEqual([
    [0, "none-left"],
    [60, "none-left"],
  ]);
  own.room = 10;
  expect(Array.from({ length: 10 }, () => spares.look()).filter(Boolean)).toEqual(["enough"]);
  // One that comes and goes within a minute is one.
  own.room = 0;
  expect(spares.look()).toBeUndefined();
  own.room = 10;
  expect(Array.from({ length: 10 }, () => spares.look()).filter(Boolean)).toEqual([]);
});

test("the control plane has the same, which it may not import", () => {
  const text = (path: string): string =>
    readFileSync(join(import.meta.dirname, "../..", path), "utf8").replace(/the twin of .*\.ts/, "the twin");
  expect(text("control-plane/spare-descriptors.ts")).toBe(text("proxy/kernel/spare-descriptors.ts"));
});
