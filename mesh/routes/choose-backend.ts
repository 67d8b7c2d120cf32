import type { BackendTarget, WeightedBackend } from "./route.ts";

/** What the weights of a rule say for one request. */
export type BackendChoice =
  | {
      readonly kind: "backend";
      readonly backend: WeightedBackend;
      readonly target: BackendTarget & { kind: "service" };
    }
  | { readonly kind: "error"; readonly status: 500 | 503; readonly reason: string };

/**
 * Chooses a backend by weight. One that leads nowhere keeps its share, which is answered with 500; with no weight at all nobody
 * may serve, which is 503, or 500 if none of them leads anywhere (Gateway API, HTTPBackendRef; GEP-1294).
 * @param random in [0, 1)
 */
export const chooseBackend = (backends: readonly WeightedBackend[], random: number): BackendChoice => {
  if (backends.length === 0) return { kind: "error", status: 500, reason: "the rule has no backendRefs" };
  let sum = 0;
  for (const { weight } of backends) sum += weight;
  if (sum === 0) {
    const isUnresolved = backends.every(({ target }) => target.kind === "invalid");
    return { kind: "error", status: isUnresolved ? 500 : 503, reason: "all weights of the rule are 0" };
  }
  let rest = random * sum;
  for (const backend of backends) {
    rest -= backend.weight;
    if (rest < 0) return choice(backend);
  }
  throw new Error(`${random} is not in [0, 1)`);
};

const choice = (backend: WeightedBackend): BackendChoice => {
  const { target } = backend;
  return target.kind === "service"
    ? { kind: "backend", backend, target }
    : { kind: "error", status: 500, reason: target.reason };
};
