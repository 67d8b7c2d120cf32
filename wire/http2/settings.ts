import { ERROR_CODE } from "./error-code.ts";
import type { Setting } from "./frames/settings.ts";
import { Http2ConnectionError } from "./http2-error.ts";

/** Identifiers (RFC 9113 section 6.5.2; RFC 8441 section 3; RFC 9218 section 2.1). */
export const SETTING = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  enableConnectProtocol: 0x8,
  noRfc7540Priorities: 0x9,
} as const;

/** The settings of one side. Sizes in bytes. */
export interface Settings {
  /** For the other side's HPACK encoder. */
  readonly headerTableSize: number;
  readonly maxConcurrentStreams: number;
  readonly initialWindowSize: number;
  readonly maxFrameSize: number;
  readonly maxHeaderListSize: number;
  /** Extended CONNECT (RFC 8441). */
  readonly enableConnectProtocol: boolean;
}

/** What holds for a peer until it says otherwise; a stream limit that it did not name yet is taken for 100 (section 6.5.2). */
export const INITIAL_PEER_SETTINGS: Settings = {
  headerTableSize: 4096,
  maxConcurrentStreams: 100,
  initialWindowSize: 65_535,
  maxFrameSize: 16_384,
  maxHeaderListSize: Number.POSITIVE_INFINITY,
  enableConnectProtocol: false,
};

/** The largest window, and the largest increment (RFC 9113 section 6.9.1). */
export const MAX_WINDOW = 2 ** 31 - 1;
const MIN_MAX_FRAME = 16_384;
const MAX_MAX_FRAME = 2 ** 24 - 1;

/** The settings that we send. Push is refused always; priorities are not looked at. */
export const ownSettings = (settings: Settings, role: "client" | "server"): readonly Setting[] => [
  [SETTING.headerTableSize, settings.headerTableSize],
  ...(role === "client" ? ([[SETTING.enablePush, 0]] as const) : []),
  [SETTING.maxConcurrentStreams, settings.maxConcurrentStreams],
  [SETTING.initialWindowSize, settings.initialWindowSize],
  [SETTING.maxFrameSize, settings.maxFrameSize],
  [SETTING.maxHeaderListSize, settings.maxHeaderListSize],
  ...(role === "server" && settings.enableConnectProtocol ? ([[SETTING.enableConnectProtocol, 1]] as const) : []),
  ...(role === "server" ? ([[SETTING.noRfc7540Priorities, 1]] as const) : []),
];

/**
 * A peer's settings after a SETTINGS frame; unknown ones are ignored (section 6.5.2).
 * @param isFirst a limit of streams that a first frame does not name is none
 * @param peer whether a server sent them: it must not enable push
 * @throws Http2ConnectionError
 */
export const withSettings = (
  before: Settings,
  frame: readonly Setting[],
  isFirst: boolean,
  peer: "client" | "server",
): Settings => {
  let settings = isFirst ? { ...before, maxConcurrentStreams: Number.POSITIVE_INFINITY } : before;
  for (const [identifier, value] of frame) settings = withSetting(settings, identifier, value, peer);
  return settings;
};

/** Each SETTINGS_HEADER_TABLE_SIZE of a frame, in order. */
export const tableSizesIn = (frame: readonly Setting[]): readonly number[] =>
  frame.filter(([identifier]) => identifier === SETTING.headerTableSize).map(([, value]) => value);

const withSetting = (settings: Settings, identifier: number, value: number, peer: "client" | "server"): Settings => {
  switch (identifier) {
    case SETTING.headerTableSize:
      return { ...settings, headerTableSize: value };
    case SETTING.enablePush:
      if (value === 0 || (value === 1 && peer === "client")) return settings;
      throw bad(`SETTINGS_ENABLE_PUSH ${value} of a ${peer}`);
    case SETTING.maxConcurrentStreams:
      return { ...settings, maxConcurrentStreams: value };
    case SETTING.initialWindowSize:
      if (value > MAX_WINDOW) throw bad(`SETTINGS_INITIAL_WINDOW_SIZE ${value}`, ERROR_CODE.flowControlError);
      return { ...settings, initialWindowSize: value };
    case SETTING.maxFrameSize:
      if (value < MIN_MAX_FRAME || value > MAX_MAX_FRAME) throw bad(`SETTINGS_MAX_FRAME_SIZE ${value}`);
      return { ...settings, maxFrameSize: value };
    case SETTING.maxHeaderListSize:
      return { ...settings, maxHeaderListSize: value };
    case SETTING.enableConnectProtocol:
      if (value > 1 || (value === 0 && settings.enableConnectProtocol)) {
        throw bad(`SETTINGS_ENABLE_CONNECT_PROTOCOL ${value}`);
      }
      return { ...settings, enableConnectProtocol: value === 1 };
    case SETTING.noRfc7540Priorities:
      if (value > 1) throw bad(`SETTINGS_NO_RFC7540_PRIORITIES ${value}`);
      return settings;
    default:
      return settings;
  }
};

const bad = (message: string, code: number = ERROR_CODE.protocolError): Http2ConnectionError =>
  new Http2ConnectionError(code, message);
