import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ProxyProcess, Target, Way } from "../ways/way.ts";
import type { Setting } from "./measure.ts";
import { sumOfPssKib } from "./memory.ts";
import { PodProgram } from "./pod-command.ts";

const PROGRAM = join(import.meta.dirname, "../programs/hold.ts");
const COUNT = 1000;
/** All are held to the end: a process uses memory again that connections have left behind, and would seem to need none. */
const STEPS = 3;
/** Longer than all of it takes. */
const HOLD_SECONDS = 300;

/** KiB that one connection costs which is open and on which nothing happens, by the side of the way. */
interface Held {
  readonly client: number;
  readonly server: number;
}

/**
 * What connections cost that are held open, once for each thousand more. Where some can pass in clear, what a tunnel's stream
 * costs follows: a connection through the tunnel is, at the client's node, a captured one and a stream; at the server's node a
 * stream and one to the application; in clear a captured one and one to the application. So client + server - clear is two
 * streams.
 */
export const measureIdleConnections = async (
  setting: Setting,
  way: Way,
  add: (step: number, values: Readonly<Record<string, number>>) => void,
): Promise<void> => {
  const programs: PodProgram[] = [];
  try {
    for (let step = 0; step < STEPS; step++) {
      const through = await hold(setting, way, way.http, programs);
      if (!through) {
        setting.note(`${way.name}: this user may not read the memory of its processes; run it as root`);
        return;
      }
      const clear = way.passing && (await hold(setting, way, way.passing, programs));
      add(step, {
        "idle-connection": through.client + through.server,
        "idle-connection-client": through.client,
        "idle-connection-server": through.server,
        ...(clear && {
          "idle-passing": clear.client,
          "idle-stream": (through.client + through.server - clear.client) / 2,
        }),
      });
    }
  } finally {
    await Promise.all(programs.map((program) => program.end()));
  }
};

/** Opens a thousand more. @returns undefined where memory may not be read */
const hold = async (
  { settleSeconds }: Setting,
  way: Way,
  { host, port }: Target,
  programs: PodProgram[],
): Promise<Held | undefined> => {
  const carriers = (await way.processes()).filter(({ carries }) => carries);
  await delay(settleSeconds * 1000);
  const before = pssBySide(carriers);
  const command = ["node", PROGRAM, host, String(port), String(COUNT), String(HOLD_SECONDS)];
  programs.push(await PodProgram.start(way.mesh, way.client, command, `held ${COUNT}`, HOLD_SECONDS));
  await delay(settleSeconds * 1000);
  const after = pssBySide(carriers);
  if (!before || !after) return undefined;
  return { client: (after.client - before.client) / COUNT, server: (after.server - before.server) / COUNT };
};

const pssBySide = (processes: readonly ProxyProcess[]): Held | undefined => {
  const client = sumOfPssKib(processes.filter(({ side }) => side === "client"));
  const server = sumOfPssKib(processes.filter(({ side }) => side === "server"));
  return client === undefined || server === undefined ? undefined : { client, server };
};
