import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { formatCertificates } from "#certs/x509/pem.ts";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { ControlPlaneClient } from "./control-plane-client.ts";
import { readSettings } from "./settings.ts";

/** A control plane that hangs: the kernel takes connections for it, and nothing is ever said on them. */
const hungControlPlane = async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    socket.resume();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const directory = mkdtempSync(join(tmpdir(), "heddle-client-"));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  });
  writeFileSync(join(directory, "token"), "token");
  writeFileSync(
    join(directory, "roots.pem"),
    formatCertificates(testAuthority("cluster.local", Date.now()).bundle.roots),
  );
  const settings = readSettings({
    HEDDLE_NODE: "node-1",
    HEDDLE_CONTROL_PLANE: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    HEDDLE_JOIN_TOKEN_FILE: join(directory, "token"),
    HEDDLE_ROOTS_FILE: join(directory, "roots.pem"),
    HEDDLE_AGENT_SOCKET: join(directory, "agent.sock"),
  });
  return { sockets, client: new ControlPlaneClient(settings, () => "") };
};

test("a connection on which nothing is heard is closed and another one made, so that hung ones do not add up", async () => {
  const { sockets, client } = await hungControlPlane();
  for (let attempt = 0; attempt < 5; attempt++) {
    const before = new Set(sockets);
    const stream = await client.openDiscovery(attempt > 0);
    stream.on("error", () => undefined);
    await vi.waitFor(() => expect([...sockets].some((socket) => !before.has(socket))).toBe(true), 10_000);
    stream.cancel();
  }
  await vi.waitFor(() => expect(sockets.size).toBeLessThanOrEqual(1), 10_000);
}, 40_000);
