import { afterAll, beforeAll, expect, test } from "vitest";
import { InteropMesh } from "./interop-mesh.ts";

// Client and servers are @grpc/grpc-js, which knows nothing of the mesh between them.

const mesh = new InteropMesh();
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

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
