import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IssuedFiles, type PemFiles } from "../mesh/issued-files.ts";
import { BareNode, until } from "./bare-node.ts";
import { openDescriptors, openSockets, pidOf } from "./process-footprint.ts";
import type { Started } from "./sandbox.ts";

/*
 * Whoever is at the other end of a tunnel connection may stop to say anything, at every stage: who waits for it hears so within a
 * time, the log says where it got stuck, and nothing stays open.
 */

const PROGRAMS = join(import.meta.dirname, "../programs");
const CALLERS = 5;

let node: BareNode;
let pem: PemFiles;
let worker: number;
const files = new IssuedFiles();

beforeAll(async () => {
  node = await BareNode.make(["client", "peer"]);
  await node.startControlPlane();
  await node.startSupervisor({ HEDDLE_IDLE_TIMEOUT: "12s", HEDDLE_PING_INTERVAL: "2s", HEDDLE_PING_TIMEOUT: "2s" });
  await node.enrol("client");
  await node.complete();
  await node.served("client");
  worker = await pidOf(node, "proxy/worker");
  pem = files.issue(node.directory, "peer", "spiffe://cluster.local/ns/shop/sa/peer");
});
afterAll(async () => {
  files.dispose();
  await node.dispose();
});

const PATIENCE = { timeout: 90_000, interval: 250 };

const start = (netns: string, program: string, ...args: readonly string[]): Started =>
  node.sandbox.start([process.execPath, join(PROGRAMS, program), ...args], { netns });

const stalling = (stage: string, more: object): Started =>
  start("peer", "stalling-peer.ts", JSON.stringify({ stage, ...pem, ...more }));

const ended = (started: Started): Promise<void> =>
  until(
    () => started.hasEnded || started.output.includes('"closed"'),
    () => `${started.output} ${node.supervisor?.output.slice(-2_000)}`,
    PATIENCE.timeout,
  );

/** What is open for the pod. */
const held = async () => ({
  sockets: await openSockets(node, "client"),
  open: (await node.status()).workers[0]?.openConnections,
});

test.each([
  ["before it answers TLS", "tls", { reason: "tunnel-tls-failed", response_flags: "TLS_FAILURE" }],
  ["before its SETTINGS", "settings", { reason: "tunnel-not-accepted", response_flags: "H2_HANDSHAKE_FAILURE" }],
  ["before it answers CONNECT", "connect", { reason: "tunnel-unanswered", response_flags: "CONNECT" }],
  ["in the middle of the body", "body", { reason: "idle-timeout", event: "closed" }],
])("a server that stalls %s: its callers are reset, and the log says at what", async (_, stage, line) => {
  const before = await held();
  const server = stalling(stage, { serve: true });
  await until(
    () => server.output.includes("listening"),
    () => server.output,
  );
  const seen = node.accessLog().length;
  const callers = Array.from({ length: CALLERS }, () =>
    start("client", "client.ts", "ask", node.address("peer"), "8080"),
  );
  await Promise.all(callers.map(ended));
  for (const { lines } of callers) expect(lines[0]).toMatchObject({ error: "ECONNRESET" });
  const lines = () =>
    node
      .accessLog()
      .slice(seen)
      .filter(({ reason }) => reason === line.reason);
  await expect.poll(lines, PATIENCE).toHaveLength(CALLERS);
  expect(lines()[0]).toMatchObject(line);
  server.kill();
  await expect.poll(held, PATIENCE).toEqual(before);
});

test.each(["tls", "settings", "block"])(
  "clients that stall at the stage of %s are let go of, and leave nothing open",
  async (stage) => {
    const before = { ...(await held()), descriptors: await openDescriptors(node, worker) };
    const clients = Array.from({ length: CALLERS }, () => stalling(stage, { host: node.address("client") }));
    await until(
      async () => (await openSockets(node, "client")) >= before.sockets + CALLERS,
      () => node.supervisor?.output.slice(-2_000),
    );
    await Promise.all(clients.map(ended));
    await expect
      .poll(async () => ({ ...(await held()), descriptors: await openDescriptors(node, worker) }), PATIENCE)
      .toEqual(before);
    if (stage !== "tls") return;
    const refused = () => node.accessLog().filter(({ reason }) => reason === "handshake-timeout");
    await expect.poll(refused, PATIENCE).toHaveLength(CALLERS);
    expect(refused()[0]).toMatchObject({ direction: "inbound", response_flags: "TLS_FAILURE" });
  },
);
