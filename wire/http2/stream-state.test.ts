import { expect, test } from "vitest";
import { canReceive, canSend, isClosed, type StreamEvent, type StreamState, transition } from "./stream-state.ts";

const EVENTS: readonly StreamEvent[] = [
  "send-headers",
  "send-end",
  "send-reset",
  "receive-headers",
  "receive-data",
  "receive-end",
  "receive-reset",
  "receive-window-update",
];

// Where an event leads, in the order of EVENTS; "same" is the state itself (RFC 9113 section 5.1 and figure 2).
const ROWS: readonly (readonly [state: StreamState, next: string])[] = [
  [
    "idle",
    "open misuse misuse open connection-protocol-error misuse connection-protocol-error connection-protocol-error",
  ],
  ["open", "same half-closed-local reset-by-us same same half-closed-remote reset-by-peer same"],
  ["half-closed-local", "misuse misuse reset-by-us same same ended reset-by-peer same"],
  ["half-closed-remote", "same ended reset-by-us stream-closed stream-closed misuse reset-by-peer same"],
  ["ended", "misuse misuse ignored connection-stream-closed connection-stream-closed misuse ignored ignored"],
  ["reset-by-us", "ignored ignored ignored ignored ignored ignored ignored ignored"],
  ["reset-by-peer", "ignored ignored ignored stream-closed stream-closed misuse ignored ignored"],
  ["skipped", "misuse misuse misuse connection-protocol-error connection-stream-closed misuse ignored ignored"],
  ["forgotten", "misuse misuse misuse stream-closed stream-closed misuse ignored ignored"],
];

test.each(ROWS)("from %s", (state, next) => {
  const expected = next.split(" ").map((word) => (word === "same" ? state : word));
  expect(EVENTS.map((event) => transition(state, event))).toEqual(expected);
});

test("who may send and receive, and what is closed", () => {
  const words = ROWS.map(([state]) => {
    const marks = [canSend(state) && "sends", canReceive(state) && "receives", isClosed(state) && "closed"];
    return `${state}: ${marks.filter(Boolean).join(" ")}`;
  });
  expect(words).toEqual([
    "idle: ",
    "open: sends receives",
    "half-closed-local: receives",
    "half-closed-remote: sends",
    "ended: closed",
    "reset-by-us: closed",
    "reset-by-peer: closed",
    "skipped: closed",
    "forgotten: closed",
  ]);
});
