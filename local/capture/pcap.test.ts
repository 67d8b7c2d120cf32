import { expect, test } from "vitest";
import { pcapFileHeader, pcapFrameHeader } from "./pcap.ts";

test("a file begins with what every reader of pcap expects", () => {
  expect(pcapFileHeader().toString("hex")).toBe("d4c3b2a10200040000000000000000000000040001000000");
});

test("a frame says when it was seen, and how long it is", () => {
  const header = pcapFrameHeader(1_700_000_000_123.5, 66);
  expect([0, 4, 8, 12].map((offset) => header.readUInt32LE(offset))).toEqual([1_700_000_000, 123_500, 66, 66]);
});
