import { err, ok, type Result } from "#mesh/result.ts";
import type { Resource } from "../publish/resource.ts";
import type { ResourceView } from "../publish/resource-view.ts";
import { Interest, WILDCARD } from "./interest.ts";
import { Rejection } from "./rejection.ts";

/** The names in a request. */
export interface SubscriptionRequest {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** What the client says it has, by name; counts in the first request of a type. An empty version: it waits for it. */
  readonly initialVersions: Readonly<Record<string, string>>;
}

/** What goes into a response. */
export interface Payload {
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
}

/** A workload's uid, the longest name there is, has less than 600 characters. */
const MAX_NAME_LENGTH = 1024;
/** Names that one stream may ask for one by one: more than the pods of a node will ever talk to. */
const MAX_NAMES = 100_000;
/** More is sent in several responses. Clients take 64 MiB and up; a hundred thousand workloads have 25. */
const MAX_PAYLOAD_BYTES = 32 * 2 ** 20;

interface InFlight {
  readonly nonce: string;
  readonly names: ReadonlySet<string>;
}

/**
 * What one stream holds of one resource type, and what it is to be sent next: the incremental variant of the xDS transport
 * protocol (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds). No I/O.
 *
 * One response at a time is on its way; what changes meanwhile waits for its answer. A refused response counts as delivered, so
 * that what was in it is sent again when it is different, and not before.
 */
export class Subscription {
  readonly #interest = new Interest();
  readonly #rejection = new Rejection();
  /** Versions by name, as they were sent or claimed. */
  readonly #held = new Map<string, string>();
  /** Names to compare with what is held; "all": everything. */
  #due: Set<string> | "all" = new Set();
  /** Names that get an answer whatever is held. */
  #asked = new Set<string>();
  /** A new wildcard is answered even where there is nothing, or its client would wait for ever. */
  #mustAnswer = false;
  #inFlight: InFlight | undefined;
  #isStarted = false;
  #isAnswered = false;

  /** Takes the names of a request; a stale nonce does not matter to them. @returns why it asks for too much */
  request(
    { subscribe, unsubscribe, initialVersions }: SubscriptionRequest,
    view: ResourceView,
  ): Result<undefined, string> {
    const isFirst = !this.#isStarted;
    this.#isStarted = true;
    const claimed = isFirst ? this.#claim(initialVersions) : new Set<string>();
    const isLegacyWildcard = isFirst && subscribe.length === 0 && unsubscribe.length === 0;
    for (const name of isLegacyWildcard ? [WILDCARD] : subscribe) {
      if (name.length > MAX_NAME_LENGTH)
        return err(`a name of ${name.length} characters, more than ${MAX_NAME_LENGTH}`);
      if (name !== "") this.#subscribe(name, claimed.has(name));
    }
    if (unsubscribe.length > 0) this.#unsubscribe(unsubscribe, view);
    return this.#interest.size > MAX_NAMES
      ? err(`more than ${MAX_NAMES} names subscribed one by one; subscribe "*"`)
      : ok(undefined);
  }

  /** Tells what may be different in the view. @param names undefined: anything */
  changed(names: Iterable<string> | undefined): void {
    if (names === undefined || !this.#interest.isWildcard) this.#due = "all";
    if (this.#due !== "all" && names) for (const name of names) this.#due.add(name);
  }

  /**
   * What is to be sent now under a nonce, if anything.
   * @param mayRemove false: removals have to wait for something else
   */
  next(view: ResourceView, nonce: string, mayRemove = true): Payload | undefined {
    if (!this.hasWork) return undefined;
    const payload = this.#difference(view, mayRemove);
    const { resources, removed } = payload;
    if (resources.length === 0 && removed.length === 0 && !this.#mustAnswer) return undefined;
    this.#mustAnswer = false;
    this.#isAnswered = true;
    for (const { name, version } of resources) this.#held.set(name, version);
    for (const name of removed) this.#held.delete(name);
    this.#inFlight = { nonce, names: new Set([...resources.map(({ name }) => name), ...removed]) };
    return payload;
  }

  /** The response with this nonce was accepted. @returns false for a stale nonce, which changes nothing */
  acknowledge(nonce: string): boolean {
    const answered = this.#answered(nonce);
    if (answered) this.#rejection.settle(answered);
    return answered !== undefined;
  }

  /** The response with this nonce was refused, at least in part. @returns false for a stale nonce, which changes nothing */
  reject(nonce: string, reason: string): boolean {
    const answered = this.#answered(nonce);
    if (answered) this.#rejection.add(answered, reason);
    return answered !== undefined;
  }

  /** Whether the client has accepted everything that there is for it. To be asked after {@link next}. */
  get isSynced(): boolean {
    const isEmpty = this.#due !== "all" && this.#due.size === 0 && this.#asked.size === 0;
    return this.isDelivered && isEmpty && this.#rejection.reason === undefined;
  }

  /** Whether {@link next} may have something to send; cheaper to ask than to make a view for it. */
  get hasWork(): boolean {
    const isDue = this.#due === "all" || this.#due.size > 0 || this.#asked.size > 0 || this.#mustAnswer;
    return this.isDelivered && isDue;
  }

  /** Whether nothing is on its way. */
  get isDelivered(): boolean {
    return this.#isStarted && !this.#inFlight;
  }

  /** Whether the client has heard of this type at all. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** How many resources the client holds. */
  get size(): number {
    return this.#held.size;
  }

  get rejection(): string | undefined {
    return this.#rejection.reason;
  }

  /** The version of a resource that the client has accepted, or said it has. */
  acceptedVersion(name: string): string | undefined {
    return this.#inFlight?.names.has(name) || this.#rejection.has(name) ? undefined : this.#held.get(name);
  }

  #claim(versions: Readonly<Record<string, string>>): ReadonlySet<string> {
    for (const [name, version] of Object.entries(versions)) if (version !== "") this.#held.set(name, version);
    this.#due = "all";
    return new Set(this.#held.keys());
  }

  #subscribe(name: string, isClaimed: boolean): void {
    this.#interest.add(name);
    if (name === WILDCARD) {
      this.#mustAnswer = true;
      this.#due = "all";
    } else {
      if (!isClaimed) this.#asked.add(name);
      if (!this.#interest.isWildcard) this.#due = "all";
    }
  }

  /** Who unsubscribes has forgotten already, and needs no answer; unless a wildcard still wants the resource. */
  #unsubscribe(names: readonly string[], view: ResourceView): void {
    for (const name of names) {
      this.#interest.delete(name);
      this.#asked.delete(name);
      if (name === WILDCARD) this.#mustAnswer = false;
      else if (this.#interest.isWildcard && name !== "") this.#asked.add(name);
    }
    const wanted = this.#interest.wanted(view);
    if (!wanted) return;
    const forgotten = names.includes(WILDCARD) ? [...this.#held.keys()] : names;
    for (const name of forgotten) if (!wanted.has(name)) this.#held.delete(name);
    this.#due = "all";
  }

  #difference(view: ResourceView, mayRemove: boolean): Payload {
    const wanted = this.#interest.wanted(view);
    const removed = new Set([...this.#asked].filter((name) => view.find(name).length === 0));
    const forced = new Set([...this.#asked].flatMap((name) => view.find(name)));
    const due = this.#due === "all" ? [...(wanted ?? view.names()), ...this.#held.keys()] : this.#due;
    const resources: Resource[] = [];
    const later = new Set<string>();
    const askedLater = new Set<string>();
    let bytes = 0;
    for (const name of new Set([...forced, ...due])) {
      const resource = !wanted || wanted.has(name) ? view.get(name) : undefined;
      if (!resource) {
        if (this.#held.has(name)) (mayRemove ? removed : later).add(name);
      } else if (forced.has(name) || this.#held.get(name) !== resource.version) {
        bytes += resource.body.length;
        if (bytes <= MAX_PAYLOAD_BYTES || resources.length === 0) resources.push(resource);
        else (forced.has(name) ? askedLater : later).add(name);
      }
    }
    this.#asked = askedLater;
    this.#due = later;
    return { resources, removed: [...removed] };
  }

  #answered(nonce: string): ReadonlySet<string> | undefined {
    if (!this.#inFlight || this.#inFlight.nonce !== nonce) return undefined;
    const { names } = this.#inFlight;
    this.#inFlight = undefined;
    return names;
  }
}
