import { expect, test } from "vitest";
import { withClockHint } from "./clock-hint.ts";

test("a certificate that is out of its time may be a clock's fault, and other problems are not", () => {
  const now = Date.parse("2036-01-02T03:04:05Z");
  for (const problem of [
    "No connection established. Last error: Error: certificate has expired",
    "x: certificate is not yet valid",
  ]) {
    expect(withClockHint(problem, now)).toBe(
      `${problem}; the clock of this node says 2036-01-02T03:04:05.000Z: compare it with the control plane's`,
    );
  }
  expect(withClockHint("certificate has expired. Resolution note: ", now)).toMatch(/^certificate has expired; the/);
  expect(withClockHint("connection refused", now)).toBe("connection refused");
});
