import { OPEN_FILES_REMEDY } from "../kernel/open-files.ts";
import type { CaptureProblem } from "./accept/captured-connection.ts";
import type { ServedPod } from "./served-pod.ts";
import type { UpstreamFailure } from "./upstream/failure.ts";

/** Why a connection is not served, as telemetry names it. */
export type Failure = Pick<UpstreamFailure, "flag" | "reason" | "message">;

export const CAPTURE_PROBLEMS: Readonly<Record<CaptureProblem, Failure>> = {
  "self-call": { flag: "CONNECT", reason: "self-call", message: "a port of the proxy itself was called" },
  gone: { flag: "CONNECT", reason: "gone", message: "the client was gone before it was looked at" },
};

export const CALLER_GONE: Failure = { flag: "-", reason: "gone", message: "the caller gave up before it was answered" };

export const POD_GONE: Failure = { flag: "-", reason: "pod-gone", message: "the pod was withdrawn meanwhile" };

export const SILENT: UpstreamFailure = {
  flag: "CONNECT",
  reason: "idle-timeout",
  message: "nobody said anything for too long",
  retry: "never",
};

export const MISTAKE: Failure = {
  flag: "CONNECT",
  reason: "internal-error",
  message: "a mistake of the proxy's; see its log",
};

const tooMany = ({ pod, connections }: ServedPod): Failure => ({
  flag: "CONNECT",
  reason: "too-many-connections",
  message: `${pod.namespace}/${pod.name} has ${connections.used} connections, which is its limit`,
});

export const TOO_MANY_OPEN_FILES: Failure = {
  flag: "CONNECT",
  reason: "too-many-open-files",
  message: `the worker may open no more files; ${OPEN_FILES_REMEDY}`,
};

export const noPlace = (pod: ServedPod, missing: "full" | "too-many-open-files"): Failure =>
  missing === "full" ? tooMany(pod) : TOO_MANY_OPEN_FILES;

export const tooManyTunnelConnections = ({ pod, tunnelConnections }: ServedPod): Failure => ({
  flag: "CONNECT",
  reason: "too-many-tunnel-connections",
  message: `${pod.namespace}/${pod.name} has ${tunnelConnections.used} tunnel connections, which is its limit`,
});
