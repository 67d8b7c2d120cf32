import { afterAll, beforeAll, expect, test } from "vitest";
import { restartAll, threeReplicas } from "./rolling-restart.ts";

const mesh = threeReplicas();
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const ROUNDS = 6;

test(`${ROUNDS} rolling restarts of three replicas under load fail no request`, async () => {
  const { failures, total } = await restartAll(mesh, ROUNDS);
  const { "socket: ended": _, "stream: ended": __, ...others } = failures;
  expect(others).toEqual({});
  expect(total).toBeGreaterThan(ROUNDS * 100);
});
