import { setTimeout as delay } from "node:timers/promises";
import { CliFailure } from "#cli/failure.ts";
import { busyShare, machineTicks } from "../measure/machine-load.ts";
import type { Setting } from "../measure/measure.ts";
import { type Cores, pin } from "../measure/pinning.ts";
import { runInPod } from "../measure/pod-command.ts";
import { processTree } from "../measure/process-tree.ts";
import type { Way } from "../ways/way.ts";

/** An idle mesh and the machine's own services need less. */
const QUIET_SHARE = 0.1;
/** How long any step of starting a mesh may take: many objects, and a machine that others use. */
export const PATIENCE_MS = 180_000;
/** A way that does not answer by then is broken. */
const FIRST_ANSWER_MS = 30_000;
/** Budgets speak of a node that has been idle for a minute. */
const REST_SECONDS = { quick: 5, full: 60 } as const;
const SETTLE_SECONDS = { quick: 1.5, full: 5 } as const;

export interface RunOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly isQuick: boolean;
}

export const settingOf = ({ seconds, isQuick }: RunOptions, note: (text: string) => void): Setting => ({
  seconds,
  settleSeconds: SETTLE_SECONDS[isQuick ? "quick" : "full"],
  maxWarmUpSeconds: isQuick ? seconds : Infinity,
  note,
});

/** Nothing is asked of the mesh: whatever the machine does meanwhile, others do. */
export const rest = async (
  isQuick: boolean,
  say: (line: string) => void,
  note: (text: string) => void,
): Promise<void> => {
  const seconds = REST_SECONDS[isQuick ? "quick" : "full"];
  say(`${seconds} s of rest, for the memory of idle processes`);
  const before = machineTicks();
  await delay(seconds * 1000);
  const share = busyShare(before, machineTicks());
  const percent = Math.round(share * 100);
  if (share > QUIET_SHARE)
    note(`others use this machine: it was ${percent} % busy at rest, and no number here means much`);
};

/** Waits until a way's probe is answered as it should be. @throws CliFailure if that takes too long */
export const untilAnswers = async ({ name, mesh, client, http, probe }: Way): Promise<void> => {
  const url = `http://${http.host}:${http.port}${probe.path}`;
  const script = `fetch("${url}", { redirect: "manual" }).then(({ status }) => console.log(status), console.log)`;
  let said = "";
  for (const deadline = Date.now() + FIRST_ANSWER_MS; Date.now() < deadline; await delay(200)) {
    said = (await runInPod(mesh, client, ["node", "-e", script], 5)).trim();
    if (said === String(probe.status)) return;
  }
  throw new CliFailure(`${name} answers ${probe.path} with ${said} and not with ${probe.status}`);
};

/** Proxies on one core; everything else in the meshes, and what they start later, on another. */
export const pinAll = async (ways: readonly Way[], cores: Cores, note: (text: string) => void): Promise<void> => {
  if (cores.kind === "shared") return note("there is only one core: load, server and proxies share it");
  const proxies = new Set((await Promise.all(ways.map((way) => way.processes()))).flat().map(({ pid }) => pid));
  const others = [...new Set(ways.map(({ mesh }) => mesh))]
    .flatMap((mesh) => processTree(mesh.pid ?? 0).map(({ pid }) => pid))
    .filter((pid) => !proxies.has(pid));
  await pin(others, cores.load);
  const refused = await pin([...proxies], cores.proxies);
  if (refused.length > 0) note(`${refused.length} processes could not be kept on a core; as root they can`);
};
