import { afterAll, beforeAll, expect, test } from "vitest";
import { restartAll, threeReplicas } from "./rolling-restart.ts";

const mesh = threeReplicas();
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

test("a rolling restart of three replicas under load fails no request, and what is open when its pod ends sees an end", async () => {
  const { failures, answered } = await restartAll(mesh, 1);
  const { "socket: ended": _, "stream: ended": __, ...others } = failures;
  expect(others).toEqual({});
  expect(Math.min(...Object.values(answered))).toBeGreaterThan(50);
});
