import { afterAll, beforeAll, expect, test } from "vitest";
import { InteropMesh } from "./interop-mesh.ts";

// Client and servers are @grpc/grpc-js, which knows nothing of the mesh between them.

const mesh = new InteropMesh();
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const CALLS = 1_500;

test("the calls of one connection take turns among three servers", async () => {
  const counts = await mesh.program<Readonly<Record<string, number>>>("grpc-client", "unary", "web:7070", CALLS);
  expect(Object.keys(counts).sort()).toEqual(["web-0", "web-1", "web-2"]);
  for (const count of Object.values(counts)) expect(Math.abs(count / (CALLS / 3) - 1)).toBeLessThan(0.05);
});

test("every kind of call: messages, their order, statuses, words and metadata are as without the mesh", async () => {
  expect(await mesh.program("grpc-client", "kinds", "web:7070")).toEqual({
    failed: { code: 9, details: "as you wished: 100 % ✓", trailer: ["end"], binary: ["00ff"] },
    isLargeEqual: true,
    trailer: ["end"],
    late: 4,
    cancelled: 1,
    after: "after",
    serverStream: { code: 0, got: 1_000, bytes: 1_000_000 },
    clientStream: { code: 0, said: "1000 499500" },
    bothStreams: { code: 0, inOrder: 200 },
  });
});
