import { afterAll, beforeAll, test } from "vitest";
import { type Case, type Expected } from "./echo-answer.ts";
import { EchoMesh } from "./echo-mesh.ts";
import type { Request } from "./programs/request.ts";

// The tests of Gateway API's profiles MESH-HTTP and MESH-GRPC, and what they leave out: Location, the path and Host that the
// backend had, who answered, and the status of routes.

const mesh = new EchoMesh();
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

/** A request to a path of http://echo, unless said otherwise, and what comes of it. */
const ask = (
  path: string,
  want: Expected,
  { url = `http://echo${path}`, ...request }: Partial<Request> = {},
): Case => ({
  request: { url, ...request },
  want,
});

test("MeshBasic", async () => {
  mesh.routes();
  await mesh.holds(ask("/", { echoed: { Host: "echo", URL: "/", Method: "GET", Proto: "HTTP/1.1" } }));
});
