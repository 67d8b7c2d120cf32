import * as fc from "fast-check";
import { expect, test } from "vitest";

import { formatCertificates, formatPem, parsePem, parseSinglePem } from "./pem.ts";

test("what is written as PEM is read back, any number of blocks", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 5 }), (blocks) => {
      const read = parsePem("CERTIFICATE", formatCertificates(blocks));
      expect(read.ok && read.value.map((der) => [...der])).toEqual(blocks.map((der) => [...der]));
    }),
  );
});

test("RFC 7468: text between blocks and Windows line ends do not matter", () => {
  const pem = `Subject: somebody\n${formatPem("CERTIFICATE", Buffer.from("one"))}\n# next\n`.replaceAll("\n", "\r\n");
  expect(parsePem("CERTIFICATE", pem)).toEqual({ ok: true, value: [Buffer.from("one")] });
});

const block = formatPem("CERTIFICATE", Buffer.from("some bytes of a certificate"));

test.each([
  ["nothing", ""],
  ["a block of another kind", formatPem("PRIVATE KEY", Buffer.from("k"))],
  ["another kind after a good block", block + formatPem("PRIVATE KEY", Buffer.from("k"))],
  ["a block without an end", block.slice(0, -10)],
  ["another word at the beginning", block.replace("BEGIN CERTIFICATE", "BEGIN PRIVATE KEY")],
  ["another word at the end", block.replace("END CERTIFICATE", "END PRIVATE KEY")],
  ["damaged base64", block.replace("c29t", "c2*t")],
  ["base64 that is cut off", block.replace(/.(=*)\n-----END/, "$1\n-----END")],
  ["an empty block", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
  ["1 MB", block.repeat(10_000)],
])("PEM text with %s is refused", (_, pem) => {
  expect(parsePem("CERTIFICATE", pem).ok).toBe(false);
});

test("where one block is expected, two are refused", () => {
  expect(parseSinglePem("CERTIFICATE", block).ok).toBe(true);
  expect(parseSinglePem("CERTIFICATE", block + block)).toEqual({ ok: false, error: "2 blocks CERTIFICATE, not one" });
});
