import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { listening } from "./listening.ts";

/** What is said on a connection before nothing more is. */
export type IdleProtocol = "http1" | "http2" | "nothing";

const COUNT = 1000;
/** How often as many are opened beside those that are held already. */
const STEPS = 2;
const SETTLE_MS = 500;
const CLIENT = new URL("idle-client.ts", import.meta.url).pathname;

/** @returns KiB that the server's process needs for each of two thousand idle connections, sockets of Node.js included */
export const idleConnectionKib = async (server: Server, protocol: IdleProtocol): Promise<number> => {
  const port = await listening(server);
  const clients: ChildProcess[] = [];
  const open = async (): Promise<number> => {
    const client = spawn(process.execPath, [CLIENT, String(port), String(COUNT), protocol], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    clients.push(client);
    await once(client.stdout, "data");
    return settledKib();
  };
  // The first ones load code and let the heap grow to what it needs for anything at all.
  const before = await open();
  for (let step = 1; step < STEPS; step++) await open();
  const after = await open();
  for (const client of clients) client.stdin?.end();
  return (after - before) / (STEPS * COUNT);
};

/** Without what is garbage by then. */
const settledKib = async (): Promise<number> => {
  await delay(SETTLE_MS);
  globalThis.gc?.();
  globalThis.gc?.();
  return Number(/^Pss:\s+([0-9]+) kB$/m.exec(readFileSync("/proc/self/smaps_rollup", "utf8"))?.[1]);
};
