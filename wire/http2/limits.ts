import type { FieldBlockLimits } from "./field-block.ts";
import type { FieldSectionLimits } from "./hpack/hpack-decoder.ts";
import type { Settings } from "./settings.ts";
import type { WindowLimits } from "./window-probe.ts";

/** What a connection allows. Sizes in bytes. */
export interface Http2Limits extends FieldBlockLimits, WindowLimits {
  /** Sent to the peer. */
  readonly settings: Settings;
  readonly fields: FieldSectionLimits;
  /** No window is below 65535, with which peers begin before they have read our SETTINGS. */
  readonly connectionWindow: number;
  /** Our use of the peer's compression table. */
  readonly encoderTableBytes: number;
  readonly maxSettingsPerFrame: number;
  /** What may wait, beside the data of streams, for a peer that does not read. */
  readonly maxUnsentBytes: number;
}
