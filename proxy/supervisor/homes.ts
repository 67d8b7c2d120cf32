/** A worker as the choice of a home sees it. */
export interface WorkerLoad {
  readonly index: number;
  /** A worker that a pod was moved into because it crashed others takes no more. */
  readonly isolated: boolean;
  readonly pods: number;
  /** Outbound sockets handed out lately: the load, as far as the supervisor can see it. */
  readonly sockets: number;
}

/** Loads that differ by less are the same: about one socket in 15 ms. */
const LOAD_STEP = 1_000;

/** Chooses the worker for a pod: the one that dials least, of equals the one with the fewest pods, of these the first. */
export const chooseHome = (workers: readonly WorkerLoad[]): number => {
  const [first] = workers
    .filter(({ isolated }) => !isolated)
    .toSorted((a, b) => load(a) - load(b) || a.pods - b.pods || a.index - b.index);
  if (!first) throw new Error("there is no worker that takes pods");
  return first.index;
};

const load = ({ sockets }: WorkerLoad): number => Math.floor(sockets / LOAD_STEP);
