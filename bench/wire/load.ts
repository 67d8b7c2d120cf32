import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/**
 * Loads a server on this machine until it is over, and counts what was answered.
 * @returns when its connections are closed
 */
export type Load = (port: number, isOver: () => boolean, count: (done: number) => void) => Promise<unknown>;

export const LOAD_NAMES = ["http1Requests", "http2Requests", "http2SameRequests", "http2Data"] as const;
export type LoadName = (typeof LOAD_NAMES)[number];

interface LoadTask {
  readonly load: LoadName;
  readonly port: number;
  readonly warmUpMs: number;
  readonly ms: number;
}

type LoadMessage = "warm" | { readonly done: number };

/**
 * Runs a load in a thread of its own.
 * @returns how much was done for each second of CPU time of the calling thread, in which the server runs
 */
export const donePerCpuSecond = async (load: LoadName, port: number, seconds: number): Promise<number> => {
  const task: LoadTask = { load, port, warmUpMs: 500, ms: seconds * 1000 };
  const worker = new Worker(new URL(import.meta.url), { workerData: task });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let before = process.threadCpuUsage();
  worker.on("message", (message: LoadMessage) => {
    if (message === "warm") before = process.threadCpuUsage();
    else resolve(message.done);
  });
  worker.on("error", reject);
  const done = await promise;
  const { user, system } = process.threadCpuUsage(before);
  await worker.terminate();
  return done / ((user + system) / 1e6);
};

const run = async ({ load, port, warmUpMs, ms }: LoadTask): Promise<void> => {
  const loads = { ...(await import("./http1-load.ts")), ...(await import("./http2-load.ts")) };
  const start = performance.now();
  let isWarm = false;
  let done = 0;
  await loads[load](
    port,
    () => performance.now() > start + warmUpMs + ms,
    (more) => {
      if (!isWarm && performance.now() > start + warmUpMs) {
        isWarm = true;
        parentPort?.postMessage("warm" satisfies LoadMessage, []);
      } else if (isWarm) done += more;
    },
  );
  parentPort?.postMessage({ done } satisfies LoadMessage, []);
};

if (!isMainThread && (workerData as LoadTask | undefined)?.load !== undefined) await run(workerData as LoadTask);
