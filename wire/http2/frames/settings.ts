import type { Output } from "../../output.ts";
import { ERROR_CODE } from "../error-code.ts";
import { beginFrame, FLAG, FRAME_TYPE, readUint32, writeUint32 } from "../frame-header.ts";
import { Http2ConnectionError } from "../http2-error.ts";

/** One setting: Identifier 16, Value 32 (RFC 9113 section 6.5.1). */
export type Setting = readonly [identifier: number, value: number];

const SETTING_BYTES = 6;

/** @throws Http2ConnectionError also where there are more than `maxSettings`: nobody needs them, and each costs work */
export const readSettings = (payload: Uint8Array, maxSettings: number): readonly Setting[] => {
  if (payload.length % SETTING_BYTES !== 0) {
    throw new Http2ConnectionError(ERROR_CODE.frameSizeError, `SETTINGS of ${payload.length} bytes`);
  }
  const count = payload.length / SETTING_BYTES;
  if (count > maxSettings) {
    throw new Http2ConnectionError(
      ERROR_CODE.enhanceYourCalm,
      `${count} settings in a frame, more than ${maxSettings}`,
    );
  }
  return Array.from({ length: count }, (_, index): Setting => {
    const at = index * SETTING_BYTES;
    return [((payload[at] as number) << 8) | (payload[at + 1] as number), readUint32(payload, at + 2)];
  });
};

export const appendSettings = (output: Output, settings: readonly Setting[]): void => {
  const at = beginFrame(output, settings.length * SETTING_BYTES, FRAME_TYPE.settings, 0, 0);
  for (const [index, [identifier, value]] of settings.entries()) {
    const from = at + index * SETTING_BYTES;
    output.slab[from] = identifier >>> 8;
    output.slab[from + 1] = identifier;
    writeUint32(output.slab, from + 2, value);
  }
};

export const appendSettingsAck = (output: Output): void => {
  beginFrame(output, 0, FRAME_TYPE.settings, FLAG.ack, 0);
};
