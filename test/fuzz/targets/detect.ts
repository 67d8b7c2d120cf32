import { detectProtocol, MAX_DETECTED_BYTES } from "#wire/detect/detect-protocol.ts";
import { BrokenInvariant, type FuzzTarget, mustEqual, words } from "../target.ts";

/** An answer that was given stays, however much comes after it; and it does not take long. */
export const detect: FuzzTarget = {
  name: "detect",
  dictionary: words(
    "GET /",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02\0\x01",
    "CONNECT a",
    "PROPPATCH *",
    "h",
    " ",
  ),
  script: "/wire/detect/",
  run: (input) => {
    let decided: string | undefined;
    for (let length = 0; length <= Math.min(input.length, 2 * MAX_DETECTED_BYTES); length += 1) {
      const { kind } = detectProtocol(input.subarray(0, length));
      if (decided !== undefined) mustEqual("an answer stays", kind, decided);
      if (kind !== "need-more") decided = kind;
      else if (length >= MAX_DETECTED_BYTES) throw new BrokenInvariant("enough came", length, MAX_DETECTED_BYTES);
    }
    if (decided !== undefined) mustEqual("an answer stays", detectProtocol(input).kind, decided);
  },
};
