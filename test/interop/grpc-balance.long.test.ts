import { expect, onTestFinished, test } from "vitest";
import { InteropMesh } from "./interop-mesh.ts";

const CALLS = 10_000;

test("10,000 calls over one client connection: each of three servers has a third within 5 %", async () => {
  const mesh = new InteropMesh();
  onTestFinished(() => mesh.dispose());
  await mesh.upAndReady();
  const counts = await mesh.program<Readonly<Record<string, number>>>("grpc-client", "unary", "web:7070", CALLS);
  expect(Object.keys(counts).sort()).toEqual(["web-0", "web-1", "web-2"]);
  for (const count of Object.values(counts)) expect(Math.abs(count / (CALLS / 3) - 1)).toBeLessThan(0.05);
});
