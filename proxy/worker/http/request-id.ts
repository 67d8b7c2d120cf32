import { randomFillSync } from "node:crypto";

/** So many are made at a time. */
const POOL_SIZE = 128;
const UUID_LENGTH = 36;

const random = Buffer.allocUnsafeSlow(POOL_SIZE * 16);
const texts = Buffer.allocUnsafeSlow(POOL_SIZE * UUID_LENGTH);
let pool = "";
let used = POOL_SIZE * UUID_LENGTH;

/**
 * A new `x-request-id`: a random UUID (RFC 9562 section 5.4). Node's own puts each together from twenty pieces; this is a part of a
 * larger text: whoever keeps it for long makes a text of its own of it.
 */
export const newRequestId = (): string => {
  if (used === texts.length) refill();
  used += UUID_LENGTH;
  return pool.slice(used - UUID_LENGTH, used);
};

const refill = (): void => {
  randomFillSync(random);
  for (let id = 0, at = 0; id < POOL_SIZE; id++) {
    for (let byte = 0; byte < 16; byte++) {
      if (byte === 4 || byte === 6 || byte === 8 || byte === 10) texts[at++] = DASH;
      const value = withVersion(random[id * 16 + byte] as number, byte);
      texts[at++] = HEX[value >> 4] as number;
      texts[at++] = HEX[value & 0xf] as number;
    }
  }
  pool = texts.toString("latin1");
  used = 0;
};

const withVersion = (value: number, byte: number): number => {
  if (byte === 6) return (value & 0x0f) | 0x40;
  return byte === 8 ? (value & 0x3f) | 0x80 : value;
};

const DASH = 0x2d;
const HEX = Buffer.from("0123456789abcdef");
