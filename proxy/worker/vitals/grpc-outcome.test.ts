import { expect, test } from "vitest";
import { grpcOutcome } from "./grpc-outcome.ts";

test.each([
  ["0", 200, 0],
  ["14", 200, 14],
  ["16", 200, 16],
  ["5", 503, 5],
])("grpc-status %s is what the call ended with, whatever HTTP says (%i)", (status, http, outcome) => {
  expect(grpcOutcome(status, http)).toBe(outcome);
});

test.each(["17", "99999999999999999999", "-1", "00", "1.0", "0x1", " 1", "", "OK", "\u0661"])(
  "grpc-status %j is none: UNKNOWN, as clients take it",
  (status) => {
    expect(grpcOutcome(status, 200)).toBe(2);
  },
);

// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
test.each([
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
  [200, 2],
  [500, 2],
  [0, 14],
])("without grpc-status, HTTP %i is %i", (http, outcome) => {
  expect(grpcOutcome(undefined, http)).toBe(outcome);
});
