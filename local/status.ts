import type { AgentStatus } from "#mesh/admin/agent-status.ts";
import type {
  AuthorityStatus,
  NodeStatus,
  ObjectStatus,
  StatusFolderStatus,
} from "#mesh/admin/control-plane-status.ts";
import type { IpAddress } from "#mesh/ip-address.ts";
import type { PodStatus } from "#mesh/objects/pod.ts";
import type { DrainingSupervisor } from "./enrolment/messages.ts";
import type { ContainerReport } from "./containers/pod-containers.ts";
import type { PodStep } from "./pods/next-step.ts";
import type { ProcessStatus } from "./processes/managed-process.ts";

/** GET /status of the runtime: everything that is known of a local mesh. */
export interface RuntimeStatus {
  readonly name: string;
  /** Tells one run from the next. */
  readonly instance: string;
  readonly phase: "starting" | "running" | "stopping";
  /** The folder with the declared objects. */
  readonly objects: string;
  readonly state: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly trustDomain: string;
  readonly isolation: Isolation;
  readonly ipv6: boolean;
  readonly controlPlane: ControlPlaneReport;
  readonly nodes: readonly NodeReport[];
  readonly pods: readonly PodReport[];
  /** What the runtime itself could not do. */
  readonly problems: readonly string[];
}

/** Whether the processes of a node run under different user ids. */
export type Isolation = { readonly kind: "full" } | { readonly kind: "reduced"; readonly reason: string };

export interface ControlPlaneReport {
  readonly process: ProcessStatus;
  /** Why it does not answer; undefined while it does. */
  readonly problem: string | undefined;
  /** Whether the declared objects were read at least once. */
  readonly inventory: boolean;
  /** How many objects are declared, whatever became of them. */
  readonly declared: number;
  /** Objects that are refused, or that were taken with a warning. */
  readonly objects: readonly ObjectStatus[];
  /** Where the statuses of objects are written to. */
  readonly statusFolder: StatusFolderStatus | undefined;
  readonly authority: AuthorityStatus | undefined;
}

export interface NodeReport {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  readonly supervisor: ProcessStatus;
  /** Whether the runtime is connected to the supervisor, and can enrol pods. */
  readonly enrolment: boolean;
  /** The supervisor is there, and did not answer when it was asked just now. */
  readonly isSilent: boolean;
  /** The supervisor before the last upgrade, while it has connections. */
  readonly draining: DrainingSupervisor | undefined;
  readonly agent: AgentStatus | undefined;
  /** Why the agent does not answer. */
  readonly agentProblem: string | undefined;
  /** The node as the control plane sees it. */
  readonly link: NodeStatus | undefined;
}

export interface PodReport {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
  readonly node: string | undefined;
  readonly serviceAccount: string;
  /** It lives on its node's network, so that it cannot be captured. */
  readonly hostNetwork: boolean;
  readonly addresses: readonly IpAddress[];
  readonly phase: PodStatus["phase"];
  readonly ready: boolean;
  /** What is being done with it; `rest` when it is as it should be. */
  readonly step: PodStep;
  /** Whether its traffic is to be captured, and whether the node's proxy took it. */
  readonly enrol: boolean;
  readonly enrolled: boolean;
  readonly containers: readonly ContainerReport[];
  /** Why it cannot run here as it is declared now; an earlier version may be running. */
  readonly objections: readonly string[];
  /** Why the step that is being done failed the last time. */
  readonly problem: string | undefined;
}
