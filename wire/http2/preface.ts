import { ERROR_CODE } from "./error-code.ts";
import { Http2ConnectionError } from "./http2-error.ts";

/** What a client begins with (RFC 9113 section 3.4). */
export const PREFACE = Uint8Array.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (character) => character.charCodeAt(0));

const NOTHING = new Uint8Array(0);

/** Looks for the preface at the beginning of what a client sends. */
export class PrefaceReader {
  #seen = 0;

  /** @returns what follows the preface. @throws Http2ConnectionError at the first byte that is another */
  read(bytes: Uint8Array): Uint8Array {
    if (this.#seen === PREFACE.length) return bytes;
    const now = Math.min(bytes.length, PREFACE.length - this.#seen);
    for (let index = 0; index < now; index++) {
      if (bytes[index] === PREFACE[this.#seen + index]) continue;
      throw new Http2ConnectionError(ERROR_CODE.protocolError, "what was sent does not begin as HTTP/2");
    }
    this.#seen += now;
    return now === bytes.length ? NOTHING : bytes.subarray(now);
  }
}
