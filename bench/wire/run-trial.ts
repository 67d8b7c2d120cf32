/**
 * Runs one trial in this process, and prints the number.
 *
 *   run-trial.ts ID wire|node SECONDS
 */
import { type Contestant, TRIALS } from "./trials.ts";

const [wanted = "", contestant = "", seconds = ""] = process.argv.slice(2);
const run = TRIALS.find(({ id }) => id === wanted)?.run[contestant as Contestant];
if (!run) throw new Error(`${contestant} has no trial ${wanted}`);
process.stdout.write(`${await run(Number(seconds))}\n`);
process.exit(0);
