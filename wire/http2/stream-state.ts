/**
 * The life of a stream (RFC 9113 section 5.1, figure 2), without the reserved states: push is refused.
 *
 *            send or receive headers
 *     idle ───────────────────────────▶ open ──── end received ───▶ half-closed-remote
 *                                        │ end sent                       │ end sent
 *                                        ▼                                ▼
 *                              half-closed-local ── end received ──▶   ended
 *
 * and from each of them a reset, by us or by the peer. How a stream was closed decides what a late frame means.
 */
export type StreamState =
  | "idle"
  | "open"
  | "half-closed-local"
  | "half-closed-remote"
  /** Both sides have said everything. */
  | "ended"
  /** We reset it: what the peer sent before it knew is ignored. */
  | "reset-by-us"
  | "reset-by-peer"
  /** Never used, and closed by the use of a higher number (section 5.1.1). */
  | "skipped"
  /** Skipped, or closed so long ago that nobody knows how: what comes for it may have been under way ever since. */
  | "forgotten";

export type StreamEvent =
  | "send-headers"
  | "send-end"
  | "send-reset"
  | "receive-headers"
  | "receive-data"
  | "receive-end"
  | "receive-reset"
  | "receive-window-update";

/**
 * Why an event is not taken. `connection-protocol-error`, `connection-stream-closed`: the connection ends; `stream-closed`:
 * the stream is reset with STREAM_CLOSED; `ignored`: nothing happens; `misuse`: our own mistake.
 */
export type StreamFault =
  | "connection-protocol-error"
  | "connection-stream-closed"
  | "stream-closed"
  | "ignored"
  | "misuse";

type Row = Readonly<Record<StreamEvent, StreamState | StreamFault>>;

const TABLE: Readonly<Record<StreamState, Row>> = {
  idle: {
    "send-headers": "open",
    "send-end": "misuse",
    "send-reset": "misuse",
    "receive-headers": "open",
    "receive-data": "connection-protocol-error",
    "receive-end": "misuse",
    "receive-reset": "connection-protocol-error",
    "receive-window-update": "connection-protocol-error",
  },
  open: {
    "send-headers": "open",
    "send-end": "half-closed-local",
    "send-reset": "reset-by-us",
    "receive-headers": "open",
    "receive-data": "open",
    "receive-end": "half-closed-remote",
    "receive-reset": "reset-by-peer",
    "receive-window-update": "open",
  },
  "half-closed-local": {
    "send-headers": "misuse",
    "send-end": "misuse",
    "send-reset": "reset-by-us",
    "receive-headers": "half-closed-local",
    "receive-data": "half-closed-local",
    "receive-end": "ended",
    "receive-reset": "reset-by-peer",
    "receive-window-update": "half-closed-local",
  },
  "half-closed-remote": {
    "send-headers": "half-closed-remote",
    "send-end": "ended",
    "send-reset": "reset-by-us",
    "receive-headers": "stream-closed",
    "receive-data": "stream-closed",
    "receive-end": "misuse",
    "receive-reset": "reset-by-peer",
    "receive-window-update": "half-closed-remote",
  },
  // A late WINDOW_UPDATE or RST_STREAM may have been sent before the peer knew (section 5.1, "closed").
  ended: {
    "send-headers": "misuse",
    "send-end": "misuse",
    "send-reset": "ignored",
    "receive-headers": "connection-stream-closed",
    "receive-data": "connection-stream-closed",
    "receive-end": "misuse",
    "receive-reset": "ignored",
    "receive-window-update": "ignored",
  },
  "reset-by-us": {
    "send-headers": "ignored",
    "send-end": "ignored",
    "send-reset": "ignored",
    "receive-headers": "ignored",
    "receive-data": "ignored",
    "receive-end": "ignored",
    "receive-reset": "ignored",
    "receive-window-update": "ignored",
  },
  "reset-by-peer": {
    "send-headers": "ignored",
    "send-end": "ignored",
    "send-reset": "ignored",
    "receive-headers": "stream-closed",
    "receive-data": "stream-closed",
    "receive-end": "misuse",
    "receive-reset": "ignored",
    "receive-window-update": "ignored",
  },
  skipped: {
    "send-headers": "misuse",
    "send-end": "misuse",
    "send-reset": "misuse",
    "receive-headers": "connection-protocol-error",
    "receive-data": "connection-stream-closed",
    "receive-end": "misuse",
    "receive-reset": "ignored",
    "receive-window-update": "ignored",
  },
  forgotten: {
    "send-headers": "misuse",
    "send-end": "misuse",
    "send-reset": "misuse",
    "receive-headers": "stream-closed",
    "receive-data": "stream-closed",
    "receive-end": "misuse",
    "receive-reset": "ignored",
    "receive-window-update": "ignored",
  },
};

/** The state after an event, or why it is not taken. */
export const transition = (state: StreamState, event: StreamEvent): StreamState | StreamFault => TABLE[state][event];

/** Whether nothing more is sent or received on it. */
export const isClosed = (state: StreamState): boolean => !canReceive(state) && !canSend(state) && state !== "idle";

/** Whether the peer may still send. */
export const canReceive = (state: StreamState): boolean => state === "open" || state === "half-closed-local";

/** Whether we may still send. */
export const canSend = (state: StreamState): boolean => state === "open" || state === "half-closed-remote";
