import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { ping } from "#wire/http2/testing/raw-frames.ts";
import { Attack } from "./attack.ts";
import { http2Server, tunnelServer } from "./flooded-servers.ts";
import { type Flood, FLOODS } from "./floods.ts";
import { type Ports, target, TARGETS, type TargetKind } from "./targets.ts";

const FLOOD_TIMEOUT_MS = 60_000;

/** On loopback, gone with the test. */
const serving = async (server: Server): Promise<number> => {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
};

/** The server, and an application behind it that reads everything and says nothing. */
const stage = async (
  kind: TargetKind,
): Promise<{ readonly server: Server; readonly port: number; readonly ports: Ports }> => {
  const server = kind === "http2" ? http2Server() : tunnelServer();
  const application = await serving(createServer((socket) => socket.resume()));
  const ports: Ports = { echo: application, read: application, held: application, large: application };
  return { server, port: await serving(server), ports };
};

/** Floods that never pay: those with windows or with a bound of their own end otherwise. */
const ENDLESS = FLOODS.filter(({ isBounded, flowBytes, only }) => !isBounded && flowBytes === undefined && !only);

/** Floods one connection until it ends. @returns how it ended for the attacker, and what the server read of it */
const flood = async (kind: TargetKind, it: Flood): Promise<{ readonly ending: string; readonly bytesRead: number }> => {
  const { server, port, ports } = await stage(kind);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const { promise, resolve } = Promise.withResolvers<string>();
  const attack = new Attack(it, target(kind, ports), port, Infinity, resolve);
  onTestFinished(() => attack.destroy());
  const [socket] = await accepted;
  const closed = socket.destroyed ? undefined : once(socket, "close");
  const ending = await promise;
  await closed;
  return { ending, bytesRead: socket.bytesRead };
};

test.each(TARGETS)(
  "%s: who floods and reads is told ENHANCE_YOUR_CALM, and the connection closes",
  async (kind) => {
    const ended = await Promise.all(
      ENDLESS.map(async (each) => [each.id, (await flood(kind, { ...each, reads: true })).ending]),
    );
    expect(ended).toEqual(ENDLESS.map(({ id }) => [id, "enhanceYourCalm"]));
  },
  FLOOD_TIMEOUT_MS,
);

test.each(TARGETS)(
  "%s: of who sends on after that, no more is read than what was under way",
  async (kind) => {
    const deaf: Flood = { id: "deaf", title: "", unit: () => PINGS, held: () => 0, isBounded: true };
    expect((await flood(kind, deaf)).bytesRead).toBeLessThan(MOST_READ);
  },
  FLOOD_TIMEOUT_MS,
);

const PINGS = Buffer.concat(Array.from({ length: 1_000 }, () => ping()));
/** What is discarded, and the reads before and after it. */
const MOST_READ = 2 * 1024 * 1024;
