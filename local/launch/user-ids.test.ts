import { expect, test } from "vitest";
import { countMappedUids } from "./user-ids.ts";

test.each([
  ["         0          0 4294967295\n", 4_294_967_295],
  ["         0       1000          1\n", 1],
  ["         0       1000          1\n         1     100000      65535\n", 65_536],
  ["         1     100000      65535\n         0       1000          1\n", 65_536],
  ["         0       1000          1\n      1000     100000          1\n", 1],
  ["", 0],
])("%j maps %i user ids from 0 on", (map, count) => {
  expect(countMappedUids(map)).toBe(count);
});
