import type { RuntimeStatus } from "#local/status.ts";

/** Something that a mesh which is coming up has achieved. */
export type ProgressEvent =
  | { readonly event: "control-plane"; readonly state: "ready" }
  | { readonly event: "node"; readonly node: string; readonly state: "ready" }
  | {
      readonly event: "pod";
      readonly pod: string;
      readonly state: "ready" | "finished";
      readonly node: string;
      readonly addresses: readonly string[];
      readonly captured: boolean;
    };

/** What is true in `after` and was not in `before`. */
export const progressBetween = (before: RuntimeStatus | undefined, after: RuntimeStatus): readonly ProgressEvent[] => {
  const known = new Set((before === undefined ? [] : achievements(before)).map((event) => JSON.stringify(event)));
  return achievements(after).filter((event) => !known.has(JSON.stringify(event)));
};

const achievements = ({ controlPlane, nodes, pods }: RuntimeStatus): readonly ProgressEvent[] => [
  ...(controlPlane.inventory ? [{ event: "control-plane", state: "ready" } as const] : []),
  ...nodes
    .filter(({ agent, enrolment }) => enrolment && agent?.ready === true)
    .map(({ name }) => ({ event: "node", node: name, state: "ready" }) as const),
  ...pods
    .filter(({ ready, phase }) => ready || phase === "Succeeded")
    .map((pod) => ({
      event: "pod" as const,
      pod: `${pod.namespace}/${pod.name}`,
      state: pod.ready ? ("ready" as const) : ("finished" as const),
      node: pod.node ?? "",
      addresses: pod.addresses,
      captured: pod.enrolled,
    })),
];
