/** What a pod is to be. Undefined where it is to be gone. */
export interface WantedPod {
  /** Another hash is another pod. */
  readonly specHash: string;
  readonly node: number;
  /** Whether its traffic is to be captured. */
  readonly enrol: boolean;
}

/** What there is of a pod. Undefined where there is nothing. */
export interface ActualPod {
  readonly specHash: string;
  readonly node: number;
  readonly enrolled: boolean;
  /** Whether its containers were told to start. */
  readonly started: boolean;
}

/**
 * - `set-up`: addresses, network and hosts file;
 * - `enrol`: its traffic is captured before the first container runs;
 * - `release`: it leaves the mesh and runs on;
 * - `tear-down`: everything of it ends;
 * - `rest`: it is as it should be.
 */
export type PodStep = "set-up" | "enrol" | "start" | "release" | "tear-down" | "rest";

/** The next thing to do to bring a pod to what it should be. */
export const nextStep = (wanted: WantedPod | undefined, actual: ActualPod | undefined): PodStep => {
  if (actual === undefined) return wanted === undefined ? "rest" : "set-up";
  if (wanted === undefined || wanted.specHash !== actual.specHash || wanted.node !== actual.node) return "tear-down";
  if (wanted.enrol !== actual.enrolled) return wanted.enrol ? "enrol" : "release";
  return actual.started ? "rest" : "start";
};
