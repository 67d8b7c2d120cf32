import { expect, test } from "vitest";
import type { Field } from "../../field.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";

// The examples of RFC 7541 appendix C.

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
const field = (line: string, isNeverIndexed = false): Field => {
  const [name = "", value = ""] = line.split(/(?<=.): /);
  return { name, value, isNeverIndexed };
};
const fields = (...lines: readonly string[]): readonly Field[] => lines.map((line) => field(line));
const LIMITS = { maxBytes: 1000, maxFields: 10, maxFieldBytes: 500 };

test.each([
  ["C.2.1", "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", field("custom-key: custom-header")],
  ["C.2.2", "040c 2f73 616d 706c 652f 7061 7468", field(":path: /sample/path")],
  ["C.2.3", "1008 7061 7373 776f 7264 0673 6563 7265 74", field("password: secret", true)],
  ["C.2.4", "82", field(":method: GET")],
])("%s: a single field", (_, hex, expected) => {
  expect(new HpackDecoder(4096).decode(bytes(hex), LIMITS)).toEqual({ kind: "fields", fields: [expected] });
});

const REQUESTS = [
  fields(":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"),
  fields(":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"),
  fields(
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ),
];

const RESPONSES = [
  fields(
    ":status: 302",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ),
  fields(
    ":status: 307",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ),
  fields(
    ":status: 200",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:22 GMT",
    "location: https://www.example.com",
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ),
];

const C3 = [
  "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
  "8286 84be 5808 6e6f 2d63 6163 6865",
  "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
];
const C4 = [
  "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
  "8286 84be 5886 a8eb 1064 9cbf",
  "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
];
const C5 = [
  `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768
   7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
  "4803 3330 37c1 c0bf",
  `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153
   444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
   3d31`,
];
const C6 = [
  `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8
   e9ae 82ae 43d3`,
  "4883 640e ffc1 c0bf",
  `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b
   3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
];

/** To 256 bytes, as C.5 and C.6 assume it; what they leave out stands before their first block. */
const SIZE_UPDATE = "3fe101";

test.each([
  ["C.3: requests", 4096, "", C3, REQUESTS],
  ["C.4: requests with Huffman code", 4096, "", C4, REQUESTS],
  ["C.5: responses, with evictions", 256, SIZE_UPDATE, C5, RESPONSES],
  ["C.6: responses with Huffman code, with evictions", 256, SIZE_UPDATE, C6, RESPONSES],
])("%s are decoded", (_, tableBytes, before, blocks, expected) => {
  const decoder = new HpackDecoder(tableBytes);
  decoder.settingsAcknowledged();
  const decoded = blocks.map((hex, at) => decoder.decode(bytes(at === 0 ? before + hex : hex), LIMITS));
  expect(decoded).toEqual(expected.map((fields) => ({ kind: "fields", fields })));
});

/** "307" takes three bytes either way: C.6 sends its Huffman code, we send it as it is, as does C.5. */
const C6_AS_SENT = C6.map((hex, at) => (at === 1 ? (C5[1] ?? "") : hex));

test.each([
  ["C.4: requests", 4096, "", C4, REQUESTS],
  ["C.6: responses, with evictions", 256, SIZE_UPDATE, C6_AS_SENT, RESPONSES],
])("%s are encoded to the same bytes, where everything is indexed", (_, tableBytes, before, blocks, messages) => {
  const encoder = new HpackEncoder(tableBytes, () => "indexed");
  const encoded = messages.map((fields) => Buffer.from(encoder.encode(fields)).toString("hex"));
  expect(encoded).toEqual(blocks.map((hex, at) => (at === 0 ? before : "") + hex.replaceAll(/\s/g, "")));
});
