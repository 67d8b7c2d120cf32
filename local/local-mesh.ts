import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import type { Inventory, InventoryService } from "#mesh/admin/inventory.ts";
import type { Clock } from "#mesh/clock.ts";
import { AddressBook } from "./addresses/address-book.ts";
import type { ContainerHost } from "./containers/container-command.ts";
import { ContainerProcess } from "./containers/container-process.ts";
import { ControlPlane } from "./control-plane/control-plane.ts";
import type { PreparedMachine } from "./launch/prepare-machine.ts";
import { loadServicesTable } from "./network/services-table.ts";
import { LocalNode } from "./nodes/local-node.ts";
import type { UpgradeEvent, UpgradePace } from "./nodes/node-upgrade.ts";
import { agentUid, controlPlaneProcess, supervisorProcess } from "./nodes/node-processes.ts";
import { AssignedFolder } from "./pods/assigned-folder.ts";
import type { PodHost } from "./pods/pod.ts";
import { podNetworkName } from "./pods/pod-sandbox.ts";
import { podKey, PodSet } from "./pods/pod-set.ts";
import { LogFolder } from "./processes/log-folder.ts";
import { searchPath } from "./processes/search-path.ts";
import type { RuntimeSettings } from "./runtime-settings.ts";
import { addressServices, serviceKey } from "./services/service-addresses.ts";
import { ServicesTables } from "./services/services-tables.ts";
import type { StateFolder } from "./state/state-folder.ts";
import type { RuntimeStatus } from "./status.ts";

/** What a mesh is made of and runs on. */
export interface LocalMeshSettings {
  readonly settings: RuntimeSettings;
  readonly state: StateFolder;
  readonly machine: PreparedMachine;
  /** How many user ids there are. */
  readonly uids: number;
  readonly clock: Clock;
  readonly random: () => number;
  /** Says something to whoever reads the runtime's own log. */
  readonly say: (message: string) => void;
}

/** A pod that asks for half a minute to end does not get it when the whole mesh ends. */
const DOWN_GRACE_MS = 2_000;

/** A pod that does not end even so is left to the kernel, which takes everything away when the runtime ends. */
const END_TIMEOUT_MS = 15_000;

/** A local mesh: the control plane that says what should be, and the nodes and pods that become it. */
export class LocalMesh {
  readonly name: string;
  readonly logs: LogFolder;
  readonly host: ContainerHost;
  readonly controlPlane: ControlPlane;
  readonly nodes: readonly LocalNode[];
  readonly pods: PodSet;
  readonly #given: LocalMeshSettings;
  readonly #startedAt: string;
  readonly #book: AddressBook;
  readonly #assigned: AssignedFolder;
  readonly #tables: ServicesTables;
  #phase: RuntimeStatus["phase"] = "starting";
  #services: readonly InventoryService[] = [];
  #problems: readonly string[] = [];
  #stopped: Promise<void> | undefined;

  constructor(given: LocalMeshSettings) {
    const { settings, state, machine, uids, clock } = given;
    this.#given = given;
    this.name = settings.name;
    this.#startedAt = new Date(clock.now()).toISOString();
    this.#book = new AddressBook(state.addresses);
    this.#assigned = new AssignedFolder(state.assigned);
    this.logs = new LogFolder(state.logs);
    this.host = {
      uids,
      program: settings.program,
      bindOptions: machine.bindOptions,
      nodeFolder: dirname(process.execPath),
      hidden: settings.stateRoot,
      tools: searchPath(undefined),
    };
    this.#tables = new ServicesTables({
      nodes: settings.nodes,
      load: (node, services) => loadServicesTable(node, services, machine.hasIpv6),
      clock,
    });
    this.controlPlane = this.#makeControlPlane();
    this.nodes = Array.from({ length: settings.nodes }, (_, index) => this.#makeNode(index + 1));
    this.pods = this.#makePods();
  }

  start(): void {
    this.#tables.set([]);
    this.controlPlane.start();
    for (const node of this.nodes) node.start();
    this.#phase = "running";
  }

  /** Ends everything in order: what calls first, what serves the calls last. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /**
   * Replaces the proxies of all nodes, or of one, one after the other. What fails ends it: the other nodes stay as they are.
   * @returns whether all were replaced
   */
  async upgrade(only: string | undefined, pace: UpgradePace, tell: (event: UpgradeEvent) => void): Promise<boolean> {
    for (const node of this.nodes) {
      if (only !== undefined && node.name !== only) continue;
      const upgraded = await node.upgrade(pace, tell);
      if (upgraded.ok) continue;
      tell({ event: "failed", node: node.name, reason: upgraded.error });
      return false;
    }
    return true;
  }

  async status(): Promise<RuntimeStatus> {
    const { settings, state, machine } = this.#given;
    const { report, links } = await this.controlPlane.report();
    return {
      name: this.name,
      instance: settings.instance,
      phase: this.#phase,
      objects: settings.objects,
      state: state.root,
      startedAt: this.#startedAt,
      trustDomain: settings.trustDomain,
      isolation:
        settings.reducedIsolation === undefined
          ? { kind: "full" }
          : { kind: "reduced", reason: settings.reducedIsolation },
      ipv6: machine.hasIpv6,
      controlPlane: report,
      nodes: await Promise.all(this.nodes.map((node) => node.report(links))),
      pods: this.pods.reports,
      problems: [...this.#problems, ...(this.#tables.problem === undefined ? [] : [this.#tables.problem])],
    };
  }

  #makeControlPlane(): ControlPlane {
    const { settings, state, clock, random } = this.#given;
    return new ControlPlane({
      process: controlPlaneProcess(settings, state, searchPath(process.env.PATH)),
      log: this.logs.open("control-plane"),
      clock,
      random,
      onInventory: (inventory) => this.#take(inventory),
    });
  }

  #makeNode(node: number): LocalNode {
    const { settings, machine, clock, random } = this.#given;
    return new LocalNode({
      node,
      hasIpv6: machine.hasIpv6,
      supervisor: supervisorProcess(settings, node, searchPath(process.env.PATH)),
      agentUid: settings.reducedIsolation === undefined ? agentUid(node) : 0,
      log: this.logs.open(`node-${node}`),
      controlPlane: this.controlPlane.admin,
      clock,
      random,
      onCaptureLost: (uid, reason) => this.pods.captureLost(uid, reason),
    });
  }

  #makePods(): PodSet {
    const { settings, uids } = this.#given;
    return new PodSet({
      host: this.#podHost(),
      book: this.#book,
      nodes: settings.nodes,
      uids,
      onGone: (pod) => this.logs.close(podNetworkName(pod)),
    });
  }

  #podHost(): PodHost {
    const { machine, clock, random } = this.#given;
    return {
      clock,
      random,
      hasIpv6: machine.hasIpv6,
      assigned: this.#assigned,
      newUid: randomUUID,
      placeOf: (key, node) => this.#book.placeOfPod(key, node),
      linkTo: (node) => this.#nodeAt(node).link,
      openLog: (pod) => this.logs.open(podNetworkName(pod)),
      services: () => this.#services,
      startContainer: ({ networkNamespace, pod, hostsFile }, plan, log) =>
        new ContainerProcess(this.host, { networkNamespace, hostname: pod.name, hostsFile }, plan, log),
    };
  }

  #nodeAt(number: number): LocalNode {
    const node = this.nodes[number - 1];
    if (node === undefined) throw new Error(`there is no node ${number}`);
    return node;
  }

  #take(inventory: Inventory): void {
    const { machine, say } = this.#given;
    const pods = new Set(inventory.pods.map(podKey));
    this.#book.keepOnly(pods, new Set(inventory.services.map(serviceKey)));
    const addressed = addressServices(inventory.services, this.#book, machine.hasIpv6);
    this.#services = addressed.services;
    this.#problems = addressed.problems;
    this.#assigned.setServices(addressed.assigned);
    this.#tables.set(this.#services);
    this.pods.refreshHosts();
    this.pods.apply(inventory);
    say(`the control plane declares ${pods.size} pods and ${inventory.services.length} services`);
  }

  async #stop(): Promise<void> {
    this.#phase = "stopping";
    this.controlPlane.stopListening();
    const tooLong = new Promise<void>((resolve) => {
      this.#given.clock.after(END_TIMEOUT_MS, resolve);
    });
    await Promise.race([this.pods.endAll(DOWN_GRACE_MS), tooLong]);
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.controlPlane.stop();
  }
}
