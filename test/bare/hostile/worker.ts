import { escapeAttempts } from "./escape-attempts.ts";
import { attackChannel } from "./channel-attacks.ts";
import { readOrders } from "./orders.ts";

/*
 * Stands where proxy/worker/worker.ts stands in a copy of the tree: code that somebody brought a worker to run. All before it
 * is the product's own: how the process is started, what it loads, and what it takes from itself before it serves.
 */

const orders = readOrders(import.meta.dirname);
const attempts = orders.attack === "escape" ? escapeAttempts(orders) : [];

/** What the stand-in needs of the real one. */
interface WorkerClass {
  new (settings: unknown, now: () => number, log: (message: string) => void): { start(): void };
}

const honest = (await import(new URL("./honest-worker.ts", import.meta.url).href)) as { readonly Worker: WorkerClass };

class HostileWorker {
  readonly #log: (message: string) => void;

  constructor(_: unknown, __: () => number, log: (message: string) => void) {
    this.#log = log;
  }

  start(): void {
    if (orders.attack !== "escape") return attackChannel(orders.attack);
    for (const [name, attempt] of attempts) this.#log(`attempt ${name}: ${attempt()}`);
    this.#log("attempts are over");
    setInterval(() => undefined, 1_000);
  }
}

/** On channels only the first worker is hostile, so that there are others to be disturbed. */
export const Worker: WorkerClass =
  orders.attack === "escape" || process.env["HEDDLE_WORKER"] === "0" ? HostileWorker : honest.Worker;
