import { setTimeout as delay } from "node:timers/promises";
import { describeMachine, type Machine } from "../machine.ts";
import { allowedCores, chooseCores, type Cores } from "../measure/pinning.ts";
import { Program } from "../measure/program.ts";
import { Results } from "../results.ts";
import type { Attacker } from "./attacker.ts";
import type { GoodClient } from "./client.ts";
import { type Flood, FLOODS } from "./floods.ts";
import type { FloodedServer } from "./server.ts";
import { type Ports, TARGETS, type TargetKind } from "./targets.ts";

export interface FloodReport {
  readonly machine: Machine;
  readonly cores: Cores;
  /** By the id of a flood and a metric, with targets as ways. */
  readonly results: Results;
  /** How often the attacker's connections ended in which way, by the flood and the target. */
  readonly endings: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const WARM_UP_SECONDS = 1;
/** Of which it is measured what they make us hold; as many, because what else moves in a heap is divided by it. */
const HELD_CONNECTIONS = 20;
const NICE = 10;
/** Growth that is none, and how often it is looked for. */
const SETTLED = 1.01;
const MOST_TRIES = 20;
/** Of what is held; it varies less than time does. */
const HELD_ROUNDS = 3;
/** For what the last flood left. */
const REST_MS = 200;

/** Every flood against both targets, with a client that behaves well beside it: first without the flood, then with it, in turn. */
export const runFloodsBench = async (
  { rounds, seconds, only }: { readonly rounds: number; readonly seconds: number; readonly only: string },
  say: (line: string) => void,
): Promise<FloodReport> => {
  const cores = chooseCores(allowedCores());
  const machine = await describeMachine({});
  const stage = await Stage.set(cores, new Results(rounds));
  try {
    for (const kind of TARGETS) await stage.ask(kind, WARM_UP_SECONDS);
    for (const kind of TARGETS) {
      for (const flood of FLOODS) {
        if ((flood.only !== undefined && flood.only !== kind) || !flood.id.startsWith(only)) continue;
        say(`${kind}: ${flood.title}`);
        await stage.flood(flood, kind, WARM_UP_SECONDS);
        for (let round = 0; round < rounds; round++) {
          if (round < HELD_ROUNDS) await stage.hold(flood, kind, round);
          await stage.compare(flood, kind, seconds, round);
        }
      }
    }
  } finally {
    stage.clear();
  }
  return { machine, cores, results: stage.results, endings: stage.endings };
};

/** The server on a core of its own; the client and the attacker, which is less important, on the other. */
class Stage {
  readonly results: Results;
  readonly endings: Record<string, Record<string, number>> = {};
  readonly #server: Program<FloodedServer>;
  readonly #client: Program<GoodClient>;
  readonly #attacker: Program<Attacker>;
  #serverPorts: Readonly<Record<TargetKind, number>> = { http2: 0, tunnel: 0 };
  #ports: Ports = { echo: 0, read: 0, held: 0, large: 0 };

  private constructor(cores: Cores, results: Results) {
    this.results = results;
    this.#server = new Program(new URL("server.ts", import.meta.url), "proxies", cores);
    this.#client = new Program(new URL("client.ts", import.meta.url), "load", cores);
    this.#attacker = new Program(new URL("attacker.ts", import.meta.url), "load", cores, NICE);
  }

  static async set(cores: Cores, results: Results): Promise<Stage> {
    const stage = new Stage(cores, results);
    stage.#serverPorts = await stage.#server.ask("listen");
    stage.#ports = await stage.#client.ask("applications");
    return stage;
  }

  clear(): void {
    for (const program of [this.#server, this.#client, this.#attacker]) program.kill();
  }

  /** The client alone. @returns the 99th percentile of its answers' times, in ms */
  async ask(kind: TargetKind, seconds: number): Promise<number> {
    const { tookMs, missing } = await this.#client.ask("ask", { ...this.#order(kind), ms: seconds * 1000 });
    if (missing > 0)
      this.results.note(`${kind}: ${missing} requests of the client that behaves well were not answered`);
    return tookMs.sort((left, right) => left - right)[Math.floor(0.99 * tookMs.length)] ?? Number.NaN;
  }

  flood({ id }: Flood, kind: TargetKind, seconds: number) {
    return this.#attacker.ask("attack", { ...this.#order(kind), flood: id, ms: seconds * 1000 });
  }

  /** Without and with the flood; in every other round the other way round, so that neither profits from being first. */
  async compare(flood: Flood, kind: TargetKind, seconds: number, round: number): Promise<void> {
    const quiet = (): Promise<void> => this.#quiet(flood, kind, seconds, round);
    const flooded = (): Promise<void> => this.#flooded(flood, kind, seconds, round);
    await this.#server.ask("memory");
    for (const measure of round % 2 === 0 ? [quiet, flooded] : [flooded, quiet]) await measure();
  }

  async #quiet({ id }: Flood, kind: TargetKind, seconds: number, round: number): Promise<void> {
    await this.#server.ask("begin");
    const p99 = await this.ask(kind, seconds);
    const { ownMs } = await this.#server.ask("end");
    this.results.add(round, kind, { [`${id} p99 alone`]: p99, [`${id} block alone`]: ownMs });
  }

  async #flooded(flood: Flood, kind: TargetKind, seconds: number, round: number): Promise<void> {
    await this.#server.ask("begin");
    const [p99, attack] = await Promise.all([this.ask(kind, seconds), this.flood(flood, kind, seconds)]);
    const { ownMs, wallMs } = await this.#server.ask("end");
    await delay(REST_MS);
    this.results.add(round, kind, {
      [`${flood.id} p99`]: p99,
      [`${flood.id} block`]: ownMs,
      [`${flood.id} block by the clock`]: wallMs,
      [`${flood.id} sent`]: attack.bytesSent / seconds,
      [`${flood.id} connections`]: attack.connections / seconds,
    });
    const endings = (this.endings[`${flood.id} ${kind}`] ??= {});
    for (const [ending, count] of Object.entries(attack.endings)) endings[ending] = (endings[ending] ?? 0) + count;
  }

  /** What we hold of what was sent on connections that were not ended yet, without what connections cost by themselves. */
  async hold(flood: Flood, kind: TargetKind, round: number): Promise<void> {
    const greeted = await this.#held(undefined, kind);
    const flooded = await this.#held(flood.id, kind);
    if (flooded.ended > 0)
      this.results.note(`${flood.id} ${kind}: ${flooded.ended} connections ended while they were to be held`);
    const bytes = flooded.bytes - greeted.bytes;
    this.results.add(round, kind, {
      [`${flood.id} held`]: bytes / HELD_CONNECTIONS,
      [`${flood.id} held of`]: flooded.bytesSent / HELD_CONNECTIONS,
    });
  }

  async #held(flood: string | undefined, kind: TargetKind) {
    const before = await this.#server.ask("memory");
    const order = { ...this.#order(kind), flood, connections: HELD_CONNECTIONS };
    const { bytesSent, ended } = await this.#attacker.ask("hold", order);
    const after = await this.#settledMemory();
    await this.#attacker.ask("release");
    return { bytes: after.bytes - before.bytes, bytesSent, ended };
  }

  /** Answers of applications come in for a while: until no more is held than before. */
  async #settledMemory(): Promise<{ readonly bytes: number }> {
    let most = await this.#server.ask("memory");
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const next = await this.#server.ask("memory");
      if (next.bytes <= SETTLED * most.bytes) break;
      most = next;
    }
    return most;
  }

  #order(kind: TargetKind) {
    return { kind, port: this.#serverPorts[kind], ports: this.#ports };
  }
}
