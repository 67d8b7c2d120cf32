import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { IpAddress } from "#mesh/ip-address.ts";
import { type PodStatus, REDIRECTION_ANNOTATION } from "#mesh/objects/pod.ts";
import { writeAtomically } from "../state/write-atomically.ts";

/** What the runtime adds to a pod that was declared. */
export interface AssignedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly phase: PodStatus["phase"];
  readonly ready: boolean;
  readonly addresses: readonly IpAddress[];
  /** Whether its traffic is captured, so that others may use tunnels to it. */
  readonly captured: boolean;
  /** RFC 3339, from the moment that it is being ended. */
  readonly deletionTimestamp: string | undefined;
}

/** What the runtime adds to a service that was declared without an address. */
export interface AssignedService {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly IpAddress[];
}

/**
 * The folder in which the control plane finds what in a cluster the scheduler, the kubelet and the API server add to
 * objects: one partial object in each file. What did not change is not written again.
 */
export class AssignedFolder {
  readonly #path: string;
  readonly #written = new Map<string, string>();

  /** Begins with an empty folder: what an earlier run assigned is no longer so. */
  constructor(path: string) {
    this.#path = path;
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }

  setPod(pod: AssignedPod): void {
    this.#write(`Pod.${pod.namespace}.${pod.name}.json`, assignedPodObject(pod));
  }

  removePod(namespace: string, name: string): void {
    this.#remove(`Pod.${namespace}.${name}.json`);
  }

  /** Makes these the services that have an assigned address. */
  setServices(services: readonly AssignedService[]): void {
    const files = new Map(services.map((service) => [`Service.${service.namespace}.${service.name}.json`, service]));
    for (const [file, service] of files) this.#write(file, assignedServiceObject(service));
    for (const file of this.#written.keys()) {
      if (file.startsWith("Service.") && !files.has(file)) this.#remove(file);
    }
  }

  #write(file: string, object: object): void {
    const text = `${JSON.stringify(object, undefined, 2)}\n`;
    if (this.#written.get(file) === text) return;
    writeAtomically(join(this.#path, file), text);
    this.#written.set(file, text);
  }

  #remove(file: string): void {
    rmSync(join(this.#path, file), { force: true });
    this.#written.delete(file);
  }
}

/** A partial Pod (v1). */
export const assignedPodObject = (pod: AssignedPod): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    annotations: pod.captured ? { [REDIRECTION_ANNOTATION]: "enabled" } : {},
    deletionTimestamp: pod.deletionTimestamp,
  },
  spec: { nodeName: pod.node },
  status: {
    phase: pod.phase,
    podIP: pod.addresses[0],
    podIPs: pod.addresses.map((ip) => ({ ip })),
    conditions: [{ type: "Ready", status: pod.ready ? "True" : "False" }],
  },
});

/** A partial Service (v1). */
export const assignedServiceObject = ({ namespace, name, addresses }: AssignedService): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { namespace, name },
  spec: { clusterIP: addresses[0], clusterIPs: addresses },
});
