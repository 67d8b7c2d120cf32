import { expect, onTestFinished, test } from "vitest";
import { InteropMesh } from "./interop-mesh.ts";

const CONNECTIONS = 150;
const REQUESTS = 12;
/** As Node.js has it. */
const KEEP_ALIVE_MS = 5_000;

test("requests that come in the moment at which Node.js ends an idle connection are answered, those too that nobody may repeat", async () => {
  const mesh = new InteropMesh({ KEEP_ALIVE_MS: String(KEEP_ALIVE_MS) });
  onTestFinished(() => mesh.dispose());
  await mesh.upAndReady();
  const counts = await mesh.program<object>("http-client", "spaced", "web:80", CONNECTIONS, KEEP_ALIVE_MS, REQUESTS);
  expect(counts).toEqual({ 200: CONNECTIONS * REQUESTS });
});
