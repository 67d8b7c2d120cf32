import type { ParentReference } from "../objects/gateway-reference.ts";
import type { MutualTlsMode } from "../objects/peer-authentication.ts";
import type { Problem } from "../objects/reader.ts";

/** GET /config_dump of the control plane. */
export interface ControlPlaneDump {
  readonly objects: readonly ObjectStatus[];
  readonly workloads: readonly WorkloadStatus[];
  readonly services: readonly ServiceStatus[];
  readonly policies: readonly { readonly name: string; readonly scope: string; readonly action: string }[];
  readonly nodes: readonly NodeStatus[];
  /** Where the statuses of objects are written to; undefined: nowhere. */
  readonly statusFolder: StatusFolderStatus | undefined;
}

export interface StatusFolderStatus {
  readonly path: string;
  /** Why something in it is not as it should be. */
  readonly problem: string | undefined;
}

/** What became of an object. */
export interface ObjectStatus {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Where it was read: file and number of the document in it. */
  readonly source: string;
  /** False: the object as it stands now is refused; an earlier good version may still be serving. */
  readonly accepted: boolean;
  /** Whether some version of it is in force. */
  readonly serving: boolean;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
  /** Of routes: what became of them at each parent that the mesh is responsible for. */
  readonly parents?: readonly RouteParentStatus[];
  /** Of policies: the same at each Service that they are for. */
  readonly ancestors?: readonly PolicyAncestorStatus[];
}

/** An entry of a route's `status.parents` (Gateway API). */
export interface RouteParentStatus {
  /** Equal to the one in the route's spec, field for field. */
  readonly parentRef: ParentReference;
  readonly controllerName: string;
  readonly conditions: readonly RouteCondition[];
}

/** An entry of a policy's `status.ancestors` (Gateway API): in the mesh the Services that it is for are its ancestors. */
export interface PolicyAncestorStatus {
  readonly ancestorRef: ParentReference;
  readonly controllerName: string;
  readonly conditions: readonly RouteCondition[];
}

export interface RouteCondition {
  readonly type: "Accepted" | "ResolvedRefs" | "PartiallyInvalid";
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  /** `metadata.generation` of the object that it speaks of; 0 where nobody counts. */
  readonly observedGeneration: number;
}

export interface WorkloadStatus {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly node: string;
  readonly identity: string;
  readonly tunnel: "hbone" | "none";
  readonly health: "healthy" | "unhealthy";
  readonly mode: MutualTlsMode;
  readonly services: readonly string[];
  readonly policies: readonly string[];
}

export interface ServiceStatus {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly ports: readonly { readonly port: number; readonly targetPort: number; readonly protocol: string }[];
  readonly endpoints: readonly string[];
}

/** A node as the control plane knows it: GET /nodes is a list of these. */
export interface NodeStatus {
  readonly node: string;
  readonly connected: boolean;
  /** RFC 3339. */
  readonly since: string;
  readonly address: string;
  /** Version of everything this node should have. */
  readonly wanted: string;
  /** The version it last acknowledged in full; empty while it acknowledged nothing. */
  readonly held: string;
  readonly types: readonly TypeStatus[];
}

export interface TypeStatus {
  readonly type: string;
  readonly resources: number;
  readonly acked: boolean;
  /** Why the node refused what was last sent. */
  readonly nack: string | undefined;
}

/** GET /certificates of the control plane. */
export interface AuthorityStatus {
  readonly trustDomain: string;
  readonly roots: readonly AuthorityCertificate[];
  readonly issuing: AuthorityCertificate;
  readonly rotation: RotationStatus;
}

export interface AuthorityCertificate {
  readonly subject: string;
  /** RFC 3339. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string;
  /** `signing`: new certificates chain to it; `announced`: trusted, not signing yet; `retiring`: trusted only. */
  readonly state: "signing" | "announced" | "retiring";
}

/** Where a change of the root stands, and who holds it back. */
export type RotationStatus =
  | { readonly kind: "idle" }
  | { readonly kind: "announcing"; readonly waitingFor: readonly string[] }
  /** The old root stays trusted until what it signed has expired or was renewed. */
  | { readonly kind: "retiring"; readonly until: string; readonly waitingFor: readonly string[] };
