/** GET /status of a node's agent. */
export interface AgentStatus {
  readonly node: string;
  readonly ready: boolean;
  /** Why it is not ready. */
  readonly notReady: readonly string[];
  /** "full", or "reduced" where the processes of the node share one user id. */
  readonly isolation: "full" | "reduced";
  readonly controlPlane: ControlPlaneLink;
  readonly config: ConfigStatus;
  readonly workers: readonly WorkerStatus[];
  readonly pods: readonly PodStatus[];
  readonly certificates: readonly CertificateStatus[];
}

export interface ControlPlaneLink {
  readonly address: string;
  readonly connected: boolean;
  /** RFC 3339, of the last change of `connected`. */
  readonly since: string;
  readonly lastError: string | undefined;
}

/** What the agent received against what all its workers enforce. */
export interface ConfigStatus {
  /** The control plane's version of what was last received in full; empty before the first. */
  readonly version: string;
  /** The agent's own count of transactions. */
  readonly generation: number;
  /** The lowest generation that a worker has applied. */
  readonly enforced: number;
  readonly resources: Readonly<Record<string, number>>;
}

export interface WorkerStatus {
  readonly index: number;
  readonly pid: number;
  /** Tells one life of a worker from the next. */
  readonly startId: string;
  readonly appliedGeneration: number;
  readonly restarts: number;
  readonly pods: number;
  readonly openConnections: number;
}

export interface PodStatus {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly addresses: readonly string[];
  readonly worker: number;
  /** `captured`; `starting` until the worker serves it; `lost` when the rules are gone from its namespace. */
  readonly capture: "captured" | "starting" | "lost";
  readonly captureProblem: string | undefined;
  readonly identity: string;
  /** Capabilities with which the pod could leave the mesh. */
  readonly riskyCapabilities: readonly string[];
}

/** A certificate that the agent holds for one identity and one worker. Never a key. */
export interface CertificateStatus {
  readonly identity: string;
  readonly worker: number;
  readonly state: "valid" | "pending" | "failing";
  readonly serial: string | undefined;
  /** RFC 3339. */
  readonly notBefore: string | undefined;
  readonly notAfter: string | undefined;
  readonly renewAt: string | undefined;
  readonly lastError: string | undefined;
}
