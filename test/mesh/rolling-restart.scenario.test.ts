import { afterAll, beforeAll, expect, test } from "vitest";
import { RequestTally } from "./request-tally.ts";
import { CALLERS, restartAll, threeReplicas } from "./rolling-restart.ts";

const mesh = threeReplicas();
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

test("a rolling restart of three replicas under load fails no request, and what is open when its pod ends sees an end", async () => {
  const { failures, answered } = await restartAll(mesh, 1);
  const { "socket: ended": _, "stream: ended": __, ...others } = failures;
  expect(others).toEqual({});
  expect(Math.min(...Object.values(answered))).toBeGreaterThan(50);
});

test("an application that ends in its pod and begins again is not asked meanwhile: requests go to the others", async () => {
  const load = await mesh.requests("web", CALLERS);
  const tally = new RequestTally(load);
  try {
    await tally.more(50);
    // The first process of the container passes it on, and ends with the application.
    await mesh.exec("shop/web-0", "sh", "-c", "kill -TERM 1");
    await tally.more(100);
    const before = tally.by("web-0");
    await tally.until("it answers again", () => tally.by("web-0") > before + 20);
  } finally {
    load.end();
  }
  // What it was just being sent when it ended may be lost.
  const unreached = Object.keys(tally.failures).filter((failure) =>
    /connect-failed|cannot-connect|answered 503/.test(failure),
  );
  expect(unreached).toEqual([]);
});
