import type { Metadata } from "#mesh/objects/metadata.ts";
import type { WorkloadOwner } from "#mesh/workload.ts";

/** Label by which a ReplicaSet tells its pods from those of another version of the same Deployment. */
const POD_TEMPLATE_HASH = "pod-template-hash";

/**
 * What made a pod, as a person would name it: a ReplicaSet `web-6d4cf56db6` stands for the Deployment `web`, a Job
 * `report-28123456` for the CronJob `report`. Of other controllers only the name is kept (as istiod does).
 */
export const podOwner = ({ name, labels, owners }: Metadata): WorkloadOwner => {
  const controller = owners.find((owner) => owner.controller) ?? owners[0];
  if (!controller) return { kind: "pod", name };
  if (controller.kind === "ReplicaSet") {
    return { kind: "deployment", name: withoutHash(controller.name, labels.get(POD_TEMPLATE_HASH)) };
  }
  if (controller.kind !== "Job") return { kind: "pod", name: controller.name };
  const [, cronJob] = /^(.+)-[0-9]{8,10}$/.exec(controller.name) ?? [];
  return cronJob === undefined ? { kind: "job", name: controller.name } : { kind: "cronjob", name: cronJob };
};

/** The name that telemetry groups pods by (Istio's canonical service labels). */
export const canonicalName = ({ labels }: Metadata, owner: WorkloadOwner): string =>
  firstLabel(labels, ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]) ?? owner.name;

/** The version that telemetry tells apart. */
export const canonicalRevision = ({ labels }: Metadata): string =>
  firstLabel(labels, ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"]) ?? "latest";

const firstLabel = (labels: ReadonlyMap<string, string>, names: readonly string[]): string | undefined =>
  names.map((name) => labels.get(name)).find((value) => value !== undefined && value !== "");

const withoutHash = (replicaSet: string, hash: string | undefined): string => {
  if (hash !== undefined && replicaSet.endsWith(`-${hash}`)) return replicaSet.slice(0, -hash.length - 1);
  return replicaSet.replace(/-[^-]+$/, "");
};
