import { expect, test } from "vitest";
import { STATIC_FIELDS, STATIC_NAMES, STATIC_TABLE_LENGTH } from "./static-table.ts";

// RFC 7541 appendix A.
test.each([
  [1, ":authority", ""],
  [2, ":method", "GET"],
  [7, ":scheme", "https"],
  [8, ":status", "200"],
  [14, ":status", "500"],
  [16, "accept-encoding", "gzip, deflate"],
  [28, "content-length", ""],
  [33, "date", ""],
  [48, "proxy-authenticate", ""],
  [58, "user-agent", ""],
  [61, "www-authenticate", ""],
])("index %i is %s: %s", (index, name, value) => {
  expect(STATIC_FIELDS[index]).toEqual({ name, value, isNeverIndexed: false });
});

test("there are 61 entries, and none has index 0", () => {
  expect(STATIC_TABLE_LENGTH).toBe(61);
  expect(STATIC_FIELDS).toHaveLength(62);
  expect(STATIC_FIELDS[0]).toBeUndefined();
});

test("every entry is found by its name and value", () => {
  for (const [index, field] of STATIC_FIELDS.entries()) {
    if (field === undefined) continue;
    const { firstIndex = 0, values = [] } = STATIC_NAMES.get(field.name) ?? {};
    expect(firstIndex + values.indexOf(field.value)).toBe(index);
  }
  expect(STATIC_NAMES.get("__proto__")).toBeUndefined();
});
