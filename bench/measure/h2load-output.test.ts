import { expect, test } from "vitest";
import { parseH2loadOutput } from "./h2load-output.ts";

const OUTPUT = `starting benchmark...
spawning thread #0: 8 total client(s). Timing-based test with 0s of warm-up time and 1s of main duration for measurements.
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 1.00s, 49500.50 req/s, 6.12MB/s
requests: 49503 total, 49564 started, 49503 done, 49501 succeeded, 2 failed, 1 errored, 0 timeout
status codes: 49501 2xx, 0 3xx, 0 4xx, 2 5xx
`;

test("rate and counts are read", () => {
  expect(parseH2loadOutput(OUTPUT)).toEqual({ ok: true, value: { succeeded: 49_501, failed: 2, perSecond: 49_500.5 } });
});

test.each(["", "failed to resolve"])("what is no report is shown as it is: %j", (text) => {
  expect(parseH2loadOutput(text)).toEqual({ ok: false, error: `h2load said: ${text}` });
});
