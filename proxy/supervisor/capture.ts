import { createHash } from "node:crypto";
import { inNetworkNamespace, type NetworkNamespace } from "../kernel/network-namespace.ts";
import { hasIpv6 } from "../kernel/ipv6.ts";
import { runInNamespace } from "./namespace-command.ts";
import { captureRules, RELEASE_RULES, returnRoute, TABLE } from "./rules.ts";
import { rulesetGeneration } from "./ruleset-generation.ts";
import { applySysctls, planSysctls, restoreSysctls, type SysctlChange, type Sysctls } from "./sysctls.ts";

/** How often the rules are looked at although nothing seems to have changed: routing rules have no generation. */
const FULL_CHECK_EVERY = 10;

const FAMILIES: readonly (4 | 6)[] = hasIpv6 ? [4, 6] : [4];

/** What a supervisor that takes a namespace over has to know of it. */
export interface CaptureState {
  /** What the namespace's settings were before, and are now, as in {@link Sysctls}. */
  readonly sysctls: readonly (readonly [string, SysctlChange])[];
  /** Of the rules as they were last seen to be right; undefined where that is not known. */
  readonly generation: number | undefined;
  /** Stands for the rules as they were loaded: those of another version are others. */
  readonly definition: string;
}

/** Where it is remembered what a namespace was before it was captured, also when the supervisor is killed. */
export interface CaptureMemory {
  /** What a supervisor that was killed left; empty if nothing did. */
  readonly recall: () => Sysctls;
  readonly keep: (sysctls: Sysctls) => void;
  readonly forget: () => void;
}

/** The rules, routes and settings in one pod's namespace that bring its traffic to the proxy. */
export class Capture {
  readonly #namespace: NetworkNamespace;
  readonly #probeAddresses: readonly string[];
  readonly #memory: CaptureMemory;
  /** An earlier supervisor's, until {@link prepare}. */
  #sysctls: Sysctls;
  readonly #isLeftBehind: boolean;
  #generation: number | undefined;
  /** The rules that were taken over are another version's. */
  #isOutdated = false;
  /** The rules as nft prints them: what later checks compare with. */
  #rules = "";
  #checks = 0;

  constructor(namespace: NetworkNamespace, probeAddresses: readonly string[], memory: CaptureMemory) {
    this.#namespace = namespace;
    this.#probeAddresses = probeAddresses;
    this.#memory = memory;
    this.#sysctls = memory.recall();
    this.#isLeftBehind = this.#sysctls.size > 0;
  }

  /** Prepares the namespace's settings; before the sockets are made, as their port ranges depend on it. Synchronous. */
  prepare(): void {
    const changes = inNetworkNamespace(this.#namespace, () => planSysctls(this.#sysctls));
    this.#memory.keep(changes);
    this.#sysctls = changes;
    inNetworkNamespace(this.#namespace, () => applySysctls(changes));
  }

  get state(): CaptureState {
    return { sysctls: [...this.#sysctls], generation: this.#generation, definition: this.#definition };
  }

  /**
   * Takes over what an earlier supervisor put in place, and touches nothing of it. Rules that were changed since, or are not
   * ours, are found by the next {@link check}.
   */
  async adopt({ sysctls, generation, definition }: CaptureState): Promise<void> {
    this.#sysctls = new Map(sysctls);
    const current = rulesetGeneration(this.#namespace);
    this.#isOutdated = definition !== this.#definition;
    const isKnown = !this.#isOutdated && current !== undefined && current === generation;
    this.#rules = isKnown ? await this.#list().catch(() => "") : "";
    this.#generation = this.#rules === "" ? undefined : current;
  }

  /**
   * After {@link adopt}, when the namespace is ours: does what the version that captured it did not know of. What it set and
   * this version does not stays, and is put back at the end.
   * @returns whether there was anything to do. @throws Error if it cannot be done; what was in force is in force still
   */
  async renew(): Promise<boolean> {
    const isOutdated = this.#isOutdated;
    const earlier = this.#sysctls;
    const planned = inNetworkNamespace(this.#namespace, () => planSysctls(earlier));
    const missing = new Map([...planned].filter(([name, { set }]) => earlier.get(name)?.set !== set));
    if (missing.size > 0) {
      const all = new Map([...earlier, ...missing]);
      this.#memory.keep(all);
      inNetworkNamespace(this.#namespace, () => applySysctls(missing));
      this.#sysctls = all;
    }
    if (isOutdated) await this.install();
    this.#isOutdated = false;
    return missing.size > 0 || isOutdated;
  }

  /**
   * Puts the rules in place, replacing what an earlier run left there. The rules themselves come first, as they are one
   * transaction: where they are refused nothing has changed.
   * @throws Error saying which command failed
   */
  async install(): Promise<void> {
    await runInNamespace(this.#namespace, "nft", ["-f", "-"], captureRules(this.#probeAddresses));
    for (const family of FAMILIES) await this.#addReturnRoute(family);
    // Before they are listed: a change meanwhile is then one to the next check. So is a list that cannot be had.
    const generation = rulesetGeneration(this.#namespace);
    this.#rules = await this.#list().catch(() => "");
    this.#generation = this.#rules === "" ? undefined : generation;
  }

  /** @returns what is missing, or undefined while everything is in place. @throws Error if it cannot be found out */
  async check(): Promise<string | undefined> {
    const generation = rulesetGeneration(this.#namespace);
    const isUnchanged = generation !== undefined && generation === this.#generation;
    if (isUnchanged && ++this.#checks % FULL_CHECK_EVERY !== 0) return undefined;
    const rules = await this.#list().catch(() => "");
    if (rules === "") return "the nft rules are gone";
    if (rules !== this.#rules) return "the nft rules were changed";
    for (const family of FAMILIES) {
      const rulesOfFamily = await runInNamespace(this.#namespace, "ip", [`-${family}`, "rule", "show"], "");
      if (!/^32764:.*fwmark 0x111\/0xfff lookup 100/m.test(rulesOfFamily))
        return `the IPv${family} routing rule is gone`;
    }
    this.#generation = generation;
    return undefined;
  }

  /** Takes everything away again, as far as it is still there. Never throws: the namespace may be gone. */
  async release(): Promise<void> {
    await runInNamespace(this.#namespace, "nft", ["-f", "-"], RELEASE_RULES).catch(() => undefined);
    for (const family of FAMILIES) {
      const input = returnRoute("del", family);
      await runInNamespace(this.#namespace, "ip", [`-${family}`, "-force", "-batch", "-"], input).catch(
        () => undefined,
      );
    }
    this.#restore();
    this.#memory.forget();
  }

  /** Puts the namespace's settings back, and lets what an earlier supervisor left be, and be remembered. */
  abandon(): void {
    this.#restore();
    if (!this.#isLeftBehind) this.#memory.forget();
  }

  #restore(): void {
    inNetworkNamespace(this.#namespace, () => restoreSysctls(this.#sysctls));
  }

  get #definition(): string {
    return createHash("sha256").update(captureRules(this.#probeAddresses)).digest("hex");
  }

  /** An earlier supervisor may have left its rule and route: they are removed first, so that there is one of each. */
  async #addReturnRoute(family: 4 | 6): Promise<void> {
    const run = (args: readonly string[], input: string): Promise<string> =>
      runInNamespace(this.#namespace, "ip", [`-${family}`, ...args, "-batch", "-"], input);
    await run(["-force"], returnRoute("del", family)).catch(() => undefined);
    await run([], returnRoute("add", family));
  }

  #list(): Promise<string> {
    return runInNamespace(this.#namespace, "nft", ["list", "table", "inet", TABLE], "");
  }
}
