import * as fc from "fast-check";
import { expect, test } from "vitest";

import * as extensions from "./extensions.ts";

const USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;

test("any set of key usages is read back as it was written", () => {
  fc.assert(
    fc.property(fc.subarray([...USAGES], { minLength: 1 }), (usages) => {
      expect(extensions.readKeyUsage(extensions.keyUsage(...usages).value)).toEqual(new Set(usages));
    }),
  );
});

test.each([
  [["digitalSignature"], "03020780"],
  [["keyCertSign", "cRLSign"], "03020106"],
  [["decipherOnly"], "0303070080"],
] as const)("X.690 11.2.2: key usage %j has no bit after the last that is set", (usages, hex) => {
  expect(Buffer.from(extensions.keyUsage(...usages).value).toString("hex")).toBe(hex);
});

test.each([
  { ca: true, pathLength: undefined },
  { ca: true, pathLength: 0 },
  { ca: true, pathLength: 3 },
  { ca: false, pathLength: undefined },
  { ca: false, pathLength: 3 },
])("basic constraints %j are read back as they were written", (constraints) => {
  expect(extensions.readBasicConstraints(extensions.basicConstraints(constraints).value)).toEqual(constraints);
});

test("any subject alternative names are read back as they were written", () => {
  const name = fc.record({
    kind: fc.constantFrom("uri" as const, "dns" as const),
    value: fc.string({ unit: fc.integer({ min: 1, max: 127 }).map((code) => String.fromCharCode(code)) }),
  });
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (names) => {
      expect(extensions.readSubjectAltNames(extensions.subjectAltNames(names, true).value)).toEqual(names);
    }),
  );
});
