import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IssuedFiles } from "../mesh/issued-files.ts";
import { BareNode, until } from "./bare-node.ts";
import type { Started } from "./sandbox.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

/** An address of the pod `hole` that the mesh does not know. */
const UNKNOWN_ADDRESS = "10.99.0.200";

/** In `hole` every packet gets lost that comes in. */
const LOSE_PACKETS = `ip addr add ${UNKNOWN_ADDRESS}/24 dev eth0 && nft add table inet hole &&
  nft add chain inet hole input '{ type filter hook input priority 0; policy drop; }'`;

let node: BareNode;
let server: Started;
const files = new IssuedFiles();

beforeAll(async () => {
  node = await BareNode.make(["client", "peer", "hole"]);
  await node.sandbox.run(["sh", "-c", LOSE_PACKETS], { netns: "hole" });
  await node.startControlPlane();
  const pem = files.issue(node.directory, "peer", "spiffe://cluster.local/ns/shop/sa/peer");
  const wish = JSON.stringify({ host: "::", ...pem });
  server = node.sandbox.start([process.execPath, join(PROGRAMS, "hbone-server.ts"), wish], { netns: "peer" });
  await until(
    () => server.output.includes("listening"),
    () => server.output,
  );
});
afterAll(async () => {
  files.dispose();
  await node.dispose();
});

const soon = { timeout: 15_000 };

/** Starts the proxy with these settings, in place of an earlier one. */
const serveWith = async (settings: Readonly<Record<string, string>>): Promise<void> => {
  if (node.supervisor) {
    await node.sandbox.signal("proxy/supervisor/main.ts", "KILL");
    await until(
      async () => (await node.sandbox.pids("proxy/")).length === 0,
      () => node.supervisor?.output,
    );
  }
  await node.startSupervisor(settings);
  await node.enrol("client");
  await node.complete();
  await node.served("client");
};

const start = (command: string, host: string, port: number, ...more: readonly string[]): Started =>
  node.sandbox.start([process.execPath, join(PROGRAMS, "client.ts"), command, host, String(port), ...more], {
    netns: "client",
  });

/** What the client says in the end. */
const outcome = async (client: Started): Promise<unknown> => {
  await until(
    () => client.lines.length > 0,
    () => `${client.output} ${node.supervisor?.output}`,
  );
  return client.lines[0];
};

const logged = (event: string) => node.accessLog().findLast((line) => line.event === event);

/** Connections on which something is under way every 100 ms, once all of them are open. */
const hold = async (): Promise<Started> => {
  const held = start("hold", node.address("peer"), 8085, "3", "eof");
  await until(
    () => held.output.includes("held"),
    () => held.output,
  );
  return held;
};

test("a connection on which nothing moves is ended after HEDDLE_IDLE_TIMEOUT, and no other", async () => {
  await serveWith({ HEDDLE_IDLE_TIMEOUT: "1s" });
  const busy = await hold();
  expect(await outcome(start("ask", node.address("peer"), 8085))).toMatchObject({ error: "ECONNRESET" });
  await expect.poll(() => logged("closed"), soon).toMatchObject({ reason: "idle-timeout", direction: "outbound" });
  busy.endInput();
  expect(await outcome(busy)).toEqual({ echoed: 3, survivors: 3 });
});

test("who does not answer at all is given up after HEDDLE_CONNECT_TIMEOUT, a tunnel like the outside", async () => {
  await serveWith({ HEDDLE_CONNECT_TIMEOUT: "1s" });
  for (const [host, reason] of [
    [UNKNOWN_ADDRESS, "connect-timeout"],
    [node.address("hole"), "tunnel-connect-timeout"],
  ] as const) {
    expect(await outcome(start("ask", host, 80))).toMatchObject({ error: "ECONNRESET" });
    await expect
      .poll(() => logged("failed"), soon)
      .toMatchObject({ reason, error: expect.stringContaining("no answer within 1000 ms") });
  }
});

test("a tunnel connection without tunnels is closed after HEDDLE_TUNNEL_IDLE_TIMEOUT", async () => {
  await serveWith({ HEDDLE_TUNNEL_IDLE_TIMEOUT: "1s" });
  const connections = () => server.lines.filter(({ event }) => event === "connection").length;
  const closed = () => server.lines.filter(({ event }) => event === "closed").length;
  await expect.poll(closed, soon).toBe(connections());
  const held = await hold();
  expect(closed()).toBe(connections() - 1);
  held.endInput();
  expect(await outcome(held)).toEqual({ echoed: 3, survivors: 3 });
  await expect.poll(closed, soon).toBe(connections());
});

test("a peer that hangs is noticed by HEDDLE_PING_INTERVAL and HEDDLE_PING_TIMEOUT, and its tunnels are reset", async () => {
  await serveWith({ HEDDLE_PING_INTERVAL: "1s", HEDDLE_PING_TIMEOUT: "1s" });
  const held = await hold();
  // While it answers, nothing happens.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  await node.sandbox.signal("hbone-server.ts", "STOP");
  try {
    await expect
      .poll(() => node.accessLog().filter(({ event }) => event === "closed"), soon)
      .toMatchObject(
        Array.from({ length: 3 }, () => ({ reason: "reset-by-server", error: expect.stringContaining("PING") })),
      );
    held.endInput();
    expect(await outcome(held)).toEqual({ echoed: 3, survivors: 0 });
  } finally {
    await node.sandbox.signal("hbone-server.ts", "CONT");
  }
});
