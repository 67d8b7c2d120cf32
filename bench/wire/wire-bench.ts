import { runCommand } from "#local/processes/run-command.ts";
import { describeMachine, type Machine } from "../machine.ts";
import { Results } from "../results.ts";
import { type Contestant, CONTESTANTS, type Trial, TRIALS } from "./trials.ts";

export interface WireReport {
  readonly machine: Machine;
  readonly results: Results;
}

const PROGRAM = new URL("run-trial.ts", import.meta.url).pathname;
/** For starting, warming up and opening connections. */
const GRACE_MS = 30_000;

/** Every trial in a process of its own, so that none profits or suffers from what the compiler learnt of another; in turn. */
export const runWireBench = async (
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  say: (line: string) => void,
): Promise<WireReport> => {
  const results = new Results(rounds);
  for (let round = 0; round < rounds; round++) {
    for (const trial of TRIALS) {
      say(`round ${round + 1} of ${rounds}: ${trial.title.trim()}`);
      for (const contestant of CONTESTANTS) await runTrial(trial, contestant, seconds, round, results);
    }
  }
  return { machine: await describeMachine({}), results };
};

const runTrial = async (
  { id, run }: Trial,
  contestant: Contestant,
  seconds: number,
  round: number,
  results: Results,
): Promise<void> => {
  if (!run[contestant]) return;
  const command = [process.execPath, "--expose-gc", PROGRAM, id, contestant, String(seconds)] as const;
  const said = await runCommand(command, { timeoutMs: seconds * 1000 + GRACE_MS });
  const value = Number(said.ok ? said.value : Number.NaN);
  if (Number.isFinite(value)) results.add(round, contestant, { [id]: value });
  else results.note(`${id} of ${contestant} failed: ${said.ok ? said.value : said.error}`);
};
