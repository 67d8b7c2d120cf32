import { afterEach, expect, test, vi } from "vitest";
import { FakeConnection, httpRequest } from "../../testing/fake-http.ts";
import type { Caller } from "./endpoint-attempts.ts";
import { Copy } from "./mirror.ts";

afterEach(() => void vi.useRealTimers());

const NO_CHANGES = { remove: new Set<string>(), add: [] };

const copied = async () => {
  const connection = new FakeConnection("1.1");
  // Only what is told of failures is asked of the caller.
  const caller = { pod: { isGone: false }, mesh: { onMistake: () => undefined } } as unknown as Caller;
  const copy = new Copy(caller, httpRequest(), NO_CHANGES, { connect: () => connection });
  await Promise.resolve();
  copy.end([]);
  return connection.exchanges[0];
};

test("a copy that is not answered ends, so that a mirror that hangs does not hold connections", async () => {
  vi.useFakeTimers();
  const exchange = await copied();
  expect(exchange?.isReset).toBe(false);
  vi.advanceTimersByTime(60_000);
  expect(exchange?.isReset).toBe(true);
});
