import type { Clock } from "#mesh/clock.ts";
import type { PodStatus } from "#mesh/objects/pod.ts";
import type { ContainerPlan, PodPlan } from "./container-plan.ts";
import { ContainerRunner, type ContainerState, type RestartPolicy, type RunningContainer } from "./container-runner.ts";

/** What `heddle status` says of a container. */
export interface ContainerReport {
  readonly name: string;
  readonly init: boolean;
  readonly state: ContainerState;
  readonly restarts: number;
}

export interface PodContainersSettings {
  readonly plan: PodPlan;
  readonly policy: RestartPolicy;
  readonly start: (plan: ContainerPlan) => RunningContainer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onChange: () => void;
}

/** The containers of a pod: the init containers one after the other, then all others together. */
export class PodContainers {
  readonly #plans: ReadonlyMap<ContainerRunner, ContainerPlan>;
  readonly #init: readonly ContainerRunner[];
  readonly #main: readonly ContainerRunner[];

  constructor(settings: PodContainersSettings) {
    const { plan, policy, start, ...surroundings } = settings;
    const plans = new Map<ContainerRunner, ContainerPlan>();
    const runner = (policy: RestartPolicy) => (plan: ContainerPlan) => {
      const made = new ContainerRunner({ ...surroundings, policy, start: () => start(plan) });
      plans.set(made, plan);
      return made;
    };
    this.#init = plan.initContainers.map(runner(policy === "Never" ? "Never" : "OnFailure"));
    this.#main = plan.containers.map(runner(policy));
    this.#plans = plans;
  }

  start(): void {
    void this.#startInOrder();
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.#init, ...this.#main].map((runner) => runner.stop(graceMs)));
  }

  get reports(): readonly ContainerReport[] {
    return [...this.#plans].map(([runner, { name }]) => ({
      name,
      init: this.#init.includes(runner),
      state: runner.state,
      restarts: runner.restarts,
    }));
  }

  get phase(): PodStatus["phase"] {
    return podPhase(
      this.#init.map(({ state }) => state),
      this.#main.map(({ state }) => state),
    );
  }

  get ready(): boolean {
    return this.#main.every(({ state }) => state.kind === "running");
  }

  /** The plan of a container by name, and the pid of its first process if it runs; the first container if unnamed. */
  find(name: string | undefined): { readonly plan: ContainerPlan; readonly pid: number | undefined } | undefined {
    const named = [...this.#plans].find(([runner, plan]) =>
      name === undefined ? runner === this.#main[0] : plan.name === name,
    );
    if (named === undefined) return undefined;
    const [{ state }, plan] = named;
    return { plan, pid: state.kind === "running" ? state.pid : undefined };
  }

  async #startInOrder(): Promise<void> {
    for (const runner of this.#init) {
      runner.start();
      const exit = await runner.finished;
      if (exit?.code !== 0) return;
    }
    for (const runner of this.#main) runner.start();
  }
}

/** The phase of a pod (Kubernetes: Pod lifecycle) from what its containers do. */
export const podPhase = (init: readonly ContainerState[], main: readonly ContainerState[]): PodStatus["phase"] => {
  if (init.some((state) => state.kind === "finished" && state.exit.code !== 0)) return "Failed";
  if (init.some(({ kind }) => kind !== "finished")) return "Pending";
  if (main.every((state) => state.kind === "finished")) {
    return main.every((state) => state.exit.code === 0) ? "Succeeded" : "Failed";
  }
  return main.some(({ kind }) => kind !== "waiting") ? "Running" : "Pending";
};
