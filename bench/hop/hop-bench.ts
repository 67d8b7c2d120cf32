import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CliFailure } from "#cli/failure.ts";
import { runCommand } from "#local/processes/run-command.ts";
import { describeMachine, type Machine } from "../machine.ts";
import { cpuSinceUs, readCpu } from "../measure/cpu-time.ts";
import { allowedCores, chooseCores, type Cores } from "../measure/pinning.ts";
import { Results } from "../results.ts";
import type { ProxyProcess } from "../ways/way.ts";
import { listening } from "../wire/listening.ts";
import { HOPS, type Hop } from "./hops.ts";
import { haproxyHop, nginxServer } from "./peer-config.ts";

export interface HopReport {
  readonly machine: Machine;
  readonly cores: Cores;
  readonly results: Results;
}

/** Who forwards. */
export const FORWARDERS = ["haproxy", "heddle"] as const;
type Forwarder = (typeof FORWARDERS)[number];

/** Code that is new is compiled while it runs: that is dropped. */
const WARM_UP_SECONDS = 3;
const GRACE_MS = 20_000;
const FORWARDER_PROGRAMS = join(import.meta.dirname, "../../test/programs");

/** One hop in clear on loopback: load, forwarder and server, the forwarder on a core of its own. In turn, round by round. */
export const runHopBench = async (
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  say: (line: string) => void,
): Promise<HopReport> => {
  const results = new Results(rounds);
  const cores = chooseCores(allowedCores());
  const machine = await describeMachine({
    haproxy: ["haproxy", "-v"],
    nginx: ["nginx", "-v"],
    h2load: ["h2load", "--version"],
  });
  for (const hop of HOPS) {
    const stage = new Stage(cores);
    try {
      const ports = await stage.set(hop);
      for (const forwarder of FORWARDERS) await measure(hop, ports[forwarder], WARM_UP_SECONDS, stage, forwarder);
      for (let round = 0; round < rounds; round++) {
        for (const forwarder of FORWARDERS) {
          say(`round ${round + 1} of ${rounds}: ${hop.title}, ${forwarder}`);
          results.add(round, forwarder, await measure(hop, ports[forwarder], seconds, stage, forwarder));
        }
      }
    } finally {
      stage.clear();
    }
  }
  return { machine, cores, results };
};

const measure = async (
  hop: Hop,
  port: number,
  seconds: number,
  stage: Stage,
  forwarder: Forwarder,
): Promise<Readonly<Record<string, number>>> => {
  const before = readCpu([stage.process(forwarder)]);
  const command = stage.onLoadCore(hop.load(`http://127.0.0.1:${port}/shop.Cart/Get`, seconds));
  const said = await runCommand(command, { timeoutMs: seconds * 1000 + GRACE_MS });
  const cpuUs = cpuSinceUs(before);
  if (!said.ok) throw new CliFailure(`${hop.title} through ${forwarder}: ${said.error}`);
  const answered = hop.answered(said.value);
  if (answered === undefined)
    throw new CliFailure(`${hop.title} through ${forwarder}: not everything was answered: ${said.value}`);
  return { [hop.id]: answered / seconds, [`${hop.id}-cpu`]: cpuUs / answered };
};

/** The processes of one hop, and their folder; gone with {@link clear}. */
class Stage {
  readonly #cores: Cores;
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-bench-hop-"));
  readonly #children: ChildProcess[] = [];
  readonly #forwarders = new Map<Forwarder, ProxyProcess>();

  constructor(cores: Cores) {
    this.#cores = cores;
  }

  /** Starts server and forwarders. @returns the ports of the forwarders */
  async set(hop: Hop): Promise<Readonly<Record<Forwarder, number>>> {
    const [serverPort, haproxy, heddle] = [await freePort(), await freePort(), await freePort()];
    this.#start("load", [
      "nginx",
      "-p",
      this.#folder,
      "-c",
      this.#file("nginx.conf", nginxServer(serverPort, hop.isHttp2, this.#folder)),
    ]);
    const haproxyFile = this.#file("haproxy.cfg", haproxyHop(haproxy, serverPort, hop.isHttp2));
    this.#forward("haproxy", ["haproxy", "-db", "-f", haproxyFile]);
    const program = join(FORWARDER_PROGRAMS, hop.program);
    this.#forward("heddle", [process.execPath, program, String(serverPort), String(heddle)]);
    for (const port of [serverPort, haproxy, heddle]) await untilListening(port);
    return { haproxy, heddle };
  }

  process(forwarder: Forwarder): ProxyProcess {
    const found = this.#forwarders.get(forwarder);
    if (!found) throw new Error(`${forwarder} was not started`);
    return found;
  }

  onLoadCore(command: readonly [string, ...string[]]): readonly [string, ...string[]] {
    return this.#cores.kind === "split" ? ["taskset", "--cpu-list", String(this.#cores.load), ...command] : command;
  }

  clear(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #forward(forwarder: Forwarder, command: readonly [string, ...string[]]): void {
    const { pid = -1 } = this.#start("proxies", command);
    this.#forwarders.set(forwarder, { pid, label: forwarder, side: "client", carries: true });
  }

  /** taskset and setpriv replace themselves with the command, so that the child's pid is the command's. */
  #start(core: "load" | "proxies", command: readonly [string, ...string[]]): ChildProcess {
    const pinned = this.#cores.kind === "split" ? ["taskset", "--cpu-list", String(this.#cores[core])] : [];
    const child = spawn("setpriv", ["--pdeathsig", "KILL", ...pinned, ...command], { stdio: "ignore" });
    child.on("error", () => undefined);
    this.#children.push(child);
    return child;
  }

  #file(name: string, text: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, text);
    return path;
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, "close");
  return port;
};

const START_TRIES = 100;
const START_WAIT_MS = 50;

const untilListening = async (port: number): Promise<void> => {
  for (let attempt = 0; attempt < START_TRIES; attempt++) {
    const socket = connect(port, "127.0.0.1");
    const isThere = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isThere) return;
    await delay(START_WAIT_MS);
  }
  throw new CliFailure(`nothing listens on port ${port} of this machine although it was started`);
};
