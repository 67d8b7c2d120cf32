import { type IpAddress, parseIpAddress } from "../ip-address.ts";
import { type Metadata, namespacedMetadata, parseDnsSubdomain } from "./metadata.ts";
import {
  anything,
  flag,
  integer,
  list,
  object,
  oneOf,
  optional,
  parsed,
  port,
  type Reader,
  required,
  text,
} from "./reader.ts";

/** A Kubernetes Pod (v1), as far as the mesh and the local runtime read it. */
export interface PodObject {
  readonly kind: "Pod";
  readonly metadata: Metadata;
  readonly serviceAccount: string;
  /** Empty while no node has been chosen. */
  readonly nodeName: string;
  readonly hostNetwork: boolean;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  readonly terminationGracePeriodSeconds: number;
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly status: PodStatus;
}

export interface Container {
  readonly name: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** Undefined value: taken from somewhere that only a cluster has. */
  readonly env: readonly EnvironmentVariable[];
  readonly workingDir: string | undefined;
  readonly ports: readonly ContainerPort[];
  readonly runAsUser: number | undefined;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value: string | undefined;
}

export interface ContainerPort {
  readonly name: string;
  readonly containerPort: number;
  readonly protocol: "TCP" | "UDP" | "SCTP";
}

export interface PodStatus {
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
  readonly addresses: readonly IpAddress[];
  /** The Ready condition. */
  readonly ready: boolean;
}

/** Annotation that an enroller sets once a pod's traffic is captured; the mesh opens tunnels to such pods only. */
export const REDIRECTION_ANNOTATION = "ambient.istio.io/redirection";

/** Whether the pod's traffic is captured, so that it can be reached through a tunnel. */
export const isCaptured = (pod: PodObject): boolean =>
  pod.metadata.annotations.get(REDIRECTION_ANNOTATION) === "enabled";

/** A pod that has ended, or that never started and never will. */
export const isFinished = (pod: PodObject): boolean =>
  pod.status.phase === "Succeeded" || pod.status.phase === "Failed";

/** Label of a namespace or a pod that says whether it takes part in the mesh. */
export const DATAPLANE_MODE_LABEL = "istio.io/dataplane-mode";

/** Whether a pod is to be captured: the label `ambient` on its namespace or on itself, unless it says `none`. */
export const isToBeEnrolled = (namespaceLabels: ReadonlyMap<string, string>, pod: PodObject): boolean => {
  const mode = pod.metadata.labels.get(DATAPLANE_MODE_LABEL) ?? namespaceLabels.get(DATAPLANE_MODE_LABEL);
  return mode === "ambient" && !pod.hostNetwork;
};

const containerPort = object<ContainerPort>({
  name: optional(text, ""),
  containerPort: required(port),
  protocol: optional(oneOf("TCP", "UDP", "SCTP"), "TCP"),
});

const environmentVariable: Reader<EnvironmentVariable> = (value, path, problems) => {
  const {
    name,
    value: given,
    valueFrom,
  } = object({
    name: required(text),
    value: optional(text),
    valueFrom: optional(anything),
  })(value, path, problems);
  return { name, value: given ?? (valueFrom === undefined ? "" : undefined) };
};

const noCapabilities = { add: [] as readonly string[], drop: [] as readonly string[] };
const securityContext = object({
  privileged: optional(flag, false),
  runAsUser: optional(integer(0, 2 ** 31 - 1)),
  capabilities: optional(object({ add: optional(list(text), []), drop: optional(list(text), []) }), noCapabilities),
});

const container: Reader<Container> = (value, path, problems) => {
  const { securityContext: security, ...rest } = object({
    name: required(text),
    command: optional(list(text), []),
    args: optional(list(text), []),
    env: optional(list(environmentVariable), []),
    workingDir: optional(text),
    ports: optional(list(containerPort), []),
    securityContext: optional(securityContext, {
      privileged: false,
      runAsUser: undefined,
      capabilities: noCapabilities,
    }),
  })(value, path, problems);
  return {
    ...rest,
    runAsUser: security.runAsUser,
    // A privileged container has them all, whatever it drops.
    addCapabilities: security.privileged ? ["ALL"] : security.capabilities.add,
    dropCapabilities: security.privileged ? [] : security.capabilities.drop,
  };
};

const spec = object({
  serviceAccountName: optional(parsed(parseDnsSubdomain), "default"),
  nodeName: optional(text, ""),
  hostNetwork: optional(flag, false),
  restartPolicy: optional(oneOf("Always", "OnFailure", "Never"), "Always"),
  terminationGracePeriodSeconds: optional(integer(0, 86_400), 30),
  initContainers: optional(list(container), []),
  containers: required(list(container)),
});

const condition = object({ type: required(text), status: required(text) });

const status: Reader<PodStatus> = (value, path, problems) => {
  const read = object({
    phase: optional(oneOf("Pending", "Running", "Succeeded", "Failed", "Unknown"), "Pending"),
    podIP: optional(parsed(parseIpAddress)),
    podIPs: optional(list(object({ ip: required(parsed(parseIpAddress)) })), []),
    conditions: optional(list(condition), []),
  })(value, path, problems);
  const single = read.podIP === undefined ? [] : [read.podIP];
  return {
    phase: read.phase,
    addresses: [...new Set([...single, ...read.podIPs.map(({ ip }) => ip)])],
    ready: read.conditions.some(({ type, status }) => type === "Ready" && status === "True"),
  };
};

export const podObject: Reader<PodObject> = (value, path, problems) => {
  const pod = object({
    metadata: required(namespacedMetadata),
    spec: required(spec),
    status: optional(status, { phase: "Pending", addresses: [], ready: false } satisfies PodStatus),
  })(value, path, problems);
  const { serviceAccountName, ...rest } = pod.spec;
  return { kind: "Pod", metadata: pod.metadata, serviceAccount: serviceAccountName, ...rest, status: pod.status };
};
