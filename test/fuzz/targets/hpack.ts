import type { Field } from "#wire/field.ts";
import { HpackDecoder } from "#wire/http2/hpack/hpack-decoder.ts";
import { HpackEncoder } from "#wire/http2/hpack/hpack-encoder.ts";
import { Http2ConnectionError } from "#wire/http2/http2-error.ts";
import { TEST_LIMITS } from "#wire/http2/testing/test-limits.ts";
import { BrokenInvariant, type FuzzTarget, mustEqual, words } from "../target.ts";

/** Blocks of one connection, each after a byte with its length: what was decoded is decoded again from what we encode. */
export const hpack: FuzzTarget = {
  name: "hpack",
  dictionary: words(
    "\x82",
    "\x3f\xe1\x1f",
    "\x20",
    "\x40\x01a\x01b",
    "\x10\x01a\x01b",
    "\xff\xff\xff\xff\x7f",
    "\x41\x8c",
    "\xbe",
    "\0\x81\xff",
  ),
  script: "/wire/http2/hpack/",
  run: (input) => {
    const decoder = new HpackDecoder(4096);
    const encoder = new HpackEncoder(4096);
    const again = new HpackDecoder(4096);
    try {
      for (let at = 0; at < input.length;) {
        const end = at + 1 + (input[at] as number);
        const section = decoder.decode(input.subarray(at + 1, end), TEST_LIMITS.fields);
        if (section.kind === "fields") {
          const repeated = again.decode(encoder.encode(section.fields), TEST_LIMITS.fields);
          if (repeated.kind === "fields")
            mustEqual("encoded and decoded", ...comparable(repeated.fields, section.fields));
          else throw new BrokenInvariant("encoded and decoded", repeated, section);
        }
        at = end;
      }
    } catch (error) {
      if (!(error instanceof Http2ConnectionError)) throw error;
    }
  },
};

/** What we never index by ourselves may have been indexed by who sent it, but not the other way round. */
const comparable = (ours: readonly Field[], theirs: readonly Field[]): readonly [unknown, unknown] => [
  ours.map(({ name, value, isNeverIndexed }, i) => [name, value, isNeverIndexed && theirs[i]?.isNeverIndexed]),
  theirs.map(({ name, value, isNeverIndexed }) => [name, value, isNeverIndexed]),
];
