import { expect, test } from "vitest";
import { parseWrkOutput } from "./wrk-output.ts";

const OUTPUT = `Running 1s test @ http://10.244.2.10:8080/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   301.91us  191.87us   6.28ms   94.70%
    Req/Sec    54.63k     4.38k   58.95k    80.00%
  Latency Distribution
     50%  266.00us
     75%  297.00us
     90%  401.00us
     99%    1.02ms
  54324 requests in 1.00s, 9.22MB read
Requests/sec:  54296.62
Transfer/sec:      9.22MB
`;

test("requests, time and percentiles are read in one unit each", () => {
  expect(parseWrkOutput(OUTPUT)).toEqual({
    ok: true,
    value: { requests: 54_324, seconds: 1, p50Us: 266, p99Us: 1020, errors: 0 },
  });
});

test.each([
  ["  2 requests in 1.50m, 1B read", { requests: 2, seconds: 90 }],
  ["  2 requests in 500.00ms, 1B read", { requests: 2, seconds: 0.5 }],
])("a run of any length is understood: %s", (line, expected) => {
  const text = OUTPUT.replace(/^ +54324 requests.*$/m, line);
  expect(parseWrkOutput(text)).toMatchObject({ ok: true, value: expected });
});

test("everything that went wrong is counted together", () => {
  const text = `${OUTPUT}  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\n`;
  expect(parseWrkOutput(text)).toMatchObject({ ok: true, value: { errors: 54_321 } });
});

test.each(["", "unable to connect to 10.0.0.1:1 Connection refused", OUTPUT.replace("99%", "98%")])(
  "what is no report is shown as it is",
  (text) => {
    expect(parseWrkOutput(text)).toEqual({ ok: false, error: `wrk said: ${text.trim()}` });
  },
);
