/** Who floods. Asked over IPC. */
import { setTimeout as delay } from "node:timers/promises";
import { Attack } from "./attack.ts";
import { type Flood, FLOODS } from "./floods.ts";
import { answer } from "../measure/program.ts";
import { type Ports, target, type TargetKind } from "./targets.ts";

interface Order {
  readonly flood: string | undefined;
  readonly kind: TargetKind;
  readonly port: number;
  readonly ports: Ports;
}

/** A real attacker would not stop either; but ports are not without end. */
const MOST_CONNECTIONS = 5_000;
/** How long one that has sent all it can holds its connection before it tries another. */
const HOLD_MS = 100;
const POLL_MS = 10;
const HOLDING_TIMEOUT_MS = 10_000;

/** Greets, and says nothing more: with it the cost of a connection is measured. */
const NO_FLOOD: Flood = { id: "none", title: "a connection", unit: () => new Uint8Array(0), held: () => 0 };
const floodOf = (id: string | undefined): Flood => FLOODS.find((flood) => flood.id === id) ?? NO_FLOOD;

let held: Attack[] = [];

const replies = {
  /** Floods until the time is over, with one connection after the other. */
  attack: async ({ flood: id, kind, port, ports, ms }: Order & { readonly ms: number }) => {
    const flood = floodOf(id);
    const of = target(kind, ports);
    const endings: Record<string, number> = {};
    const until = performance.now() + ms;
    let connections = 0;
    let bytesSent = 0;
    while (performance.now() < until && connections < MOST_CONNECTIONS) {
      connections++;
      const { promise, resolve } = Promise.withResolvers<string>();
      const attack = new Attack(flood, of, port, flood.isBounded ? flood.held(of) : Infinity, resolve);
      const timeout = delay(until - performance.now(), "time was over");
      const ending = await Promise.race([promise, timeout, ...(flood.isBounded ? [heldFor(attack, until)] : [])]);
      endings[ending] = (endings[ending] ?? 0) + 1;
      bytesSent += attack.bytesSent;
      attack.destroy();
    }
    return { connections, bytesSent, endings };
  },
  /** Opens connections, sends what does not end them, and holds them. */
  hold: async ({ flood: id, kind, port, ports, connections }: Order & { readonly connections: number }) => {
    const flood = floodOf(id);
    const of = target(kind, ports);
    let ended = 0;
    held = Array.from({ length: connections }, () => new Attack(flood, of, port, flood.held(of), () => void ended++));
    const until = performance.now() + HOLDING_TIMEOUT_MS;
    while (performance.now() < until && !held.every((attack) => attack.isHolding)) await delay(POLL_MS);
    await delay(HOLD_MS);
    return { ended, bytesSent: held.reduce((sum, attack) => sum + attack.bytesSent, 0) };
  },
  release: async () => {
    for (const attack of held) attack.destroy();
    held = [];
    await delay(HOLD_MS);
    return {};
  },
};

const heldFor = async (attack: Attack, until: number): Promise<string> => {
  while (!attack.isHolding && performance.now() < until) await delay(POLL_MS);
  await delay(HOLD_MS);
  return "held";
};

export type Attacker = typeof replies;
answer(replies);
