import { checkIssuedChain } from "#certs/issue/issued-chain.ts";
import { renewalTime } from "#certs/issue/renewal.ts";
import { verifySvid } from "#certs/verify/verify-svid.ts";
import { createCsr } from "#certs/x509/csr.ts";
import { generateKeyPair } from "#certs/x509/key-pair.ts";
import type { Credentials } from "#certs/verify/credentials.ts";
import { type BackoffSettings, backoffDelayMs } from "#mesh/backoff.ts";
import type { CertificateStatus } from "#mesh/admin/agent-status.ts";
import type { Clock } from "#mesh/clock.ts";
import { type SpiffeId, trustDomainOf } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import { wakeAt } from "#mesh/wake-at.ts";
import { certificateStatus } from "./certificate-status.ts";
import type { CertificateOwner, Entry } from "./certificate-entry.ts";
import { RequestQueue } from "./request-queue.ts";

/** ztunnel's numbers: one identity that fails never delays another, and does not hammer the CA. */
const BACKOFF: BackoffSettings = { firstMs: 1_000, maxMs: 150_000, jitter: 0.2 };
/** Requests to the CA at the same time. */
const MAX_CONCURRENT = 8;
/** With a certificate that is still good, the last attempts come at least so long before its end. */
const LAST_CHANCE_MS = 5_000;
/** However short the lives of certificates become, as when the CA's own ends, it is not asked without pause. */
const MIN_RENEWAL_MS = 1_000;

export interface CertificateManagerOptions {
  /** Has a CSR (PEM) signed. @returns PEM as in Istio's CA API */
  readonly sign: (csr: string, owner: CertificateOwner, lifetimeMs: number) => Promise<readonly string[]>;
  /** What verifies the answer; undefined while it has not arrived. */
  readonly bundle: (trustDomain: string) => TrustBundle | undefined;
  readonly lifetimeMs: number;
  /** A new certificate is to be used from now on. */
  readonly onIssued: (owner: CertificateOwner, credentials: Credentials) => void;
  /** Something went wrong, for an operator to read. */
  readonly onProblem: (owner: CertificateOwner, problem: string) => void;
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * Keeps a certificate for every identity and worker that needs one: fetched when a pod appears, renewed at about half of its
 * life with a new key, kept while it is good when renewal fails, forgotten when the last pod leaves.
 */
export class CertificateManager {
  readonly #options: CertificateManagerOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #queue = new RequestQueue(MAX_CONCURRENT);

  constructor(options: CertificateManagerOptions) {
    this.#options = options;
  }

  /** Says which certificates are needed now. @returns the owners that are not needed any more */
  want(owners: readonly CertificateOwner[]): readonly CertificateOwner[] {
    const wanted = new Map(owners.map((owner) => [ownerKey(owner), owner]));
    const forgotten: CertificateOwner[] = [];
    for (const [key, entry] of this.#entries) {
      if (wanted.has(key)) continue;
      entry.cancel();
      this.#entries.delete(key);
      forgotten.push(entry.owner);
    }
    for (const [key, owner] of wanted) {
      if (this.#entries.has(key)) continue;
      const entry: Entry = {
        owner,
        credentials: undefined,
        renewAt: undefined,
        failures: 0,
        lastError: undefined,
        isRequested: false,
        cancel: () => undefined,
      };
      this.#entries.set(key, entry);
      this.#request(entry);
    }
    return forgotten;
  }

  /** The certificates that a worker is to have. */
  heldFor(worker: number): readonly { readonly owner: CertificateOwner; readonly credentials: Credentials }[] {
    return [...this.#entries.values()].flatMap(({ owner, credentials }) =>
      owner.worker === worker && credentials ? [{ owner, credentials }] : [],
    );
  }

  /** Identities that wait for their first certificate, with the last problem. */
  get missing(): readonly { readonly identity: SpiffeId; readonly problem: string | undefined }[] {
    return [...this.#entries.values()]
      .filter(({ credentials }) => !credentials)
      .map(({ owner, lastError }) => ({ identity: owner.identity, problem: lastError }));
  }

  get status(): readonly CertificateStatus[] {
    const now = this.#options.clock.now();
    return [...this.#entries.values()].map((entry) => certificateStatus(entry, now));
  }

  /**
   * What was waiting for a trust bundle need not wait any longer, and who has a certificate under a root that was dropped needs
   * another at once: nobody takes the one it has.
   */
  bundleArrived(): void {
    for (const entry of this.#entries.values()) {
      if (entry.isRequested) continue;
      if (entry.credentials ? this.#isTrusted(entry.credentials) : entry.failures === 0) continue;
      entry.cancel();
      this.#request(entry);
    }
  }

  /** The clock was set, or the control plane is back: what failed may work now, and nobody has to wait for the next attempt. */
  retryFailed(): void {
    for (const entry of this.#entries.values()) {
      if (entry.isRequested || entry.failures === 0) continue;
      entry.cancel();
      this.#request(entry);
    }
  }

  #isTrusted({ id, chain }: Credentials): boolean {
    const bundle = this.#options.bundle(trustDomainOf(id));
    if (!bundle) return true;
    const verified = verifySvid(chain, bundle, this.#options.clock.now());
    return verified.ok || verified.error.reason !== "untrusted-issuer";
  }

  #request(entry: Entry): void {
    // A pod that has no certificate at all cannot serve: it goes first.
    const priority = entry.credentials ? "renewal" : "first";
    entry.cancel = this.#queue.add(priority, async () => {
      entry.isRequested = true;
      const problem = await this.#fetch(entry).catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      );
      entry.isRequested = false;
      if (this.#entries.get(ownerKey(entry.owner)) !== entry) return;
      if (problem === undefined) this.#succeed(entry);
      else this.#fail(entry, problem);
    });
  }

  /** @returns what is wrong with the answer. @throws Error if there is none */
  async #fetch(entry: Entry): Promise<string | undefined> {
    const { bundle, sign, lifetimeMs, clock } = this.#options;
    const { identity } = entry.owner;
    const trusted = bundle(trustDomainOf(identity));
    if (!trusted) return `the trust bundle of ${trustDomainOf(identity)} has not arrived`;
    const keys = generateKeyPair();
    const answer = await sign(createCsr(keys, identity), entry.owner, lifetimeMs);
    const latest = bundle(trustDomainOf(identity)) ?? trusted;
    const expected = { id: identity, key: keys.privateKey, lifetimeMs, bundle: latest, now: clock.now() };
    const credentials = checkIssuedChain(answer, expected);
    if (!credentials.ok) return credentials.error.message;
    entry.credentials = credentials.value;
    return undefined;
  }

  #succeed(entry: Entry): void {
    const { clock, random, onIssued } = this.#options;
    const { credentials } = entry;
    if (!credentials) return;
    entry.failures = 0;
    entry.lastError = undefined;
    const renewAt = renewalTime({ from: clock.now(), until: credentials.notAfter }, random);
    entry.renewAt = Math.max(renewAt, clock.now() + MIN_RENEWAL_MS);
    this.#requestAt(entry, entry.renewAt);
    onIssued(entry.owner, credentials);
  }

  #fail(entry: Entry, problem: string): void {
    const { clock, random, onProblem } = this.#options;
    entry.lastError = problem;
    const retryAt = clock.now() + backoffDelayMs(BACKOFF, entry.failures++, random);
    const lastChance = (entry.credentials?.notAfter ?? Number.POSITIVE_INFINITY) - LAST_CHANCE_MS;
    entry.renewAt = lastChance > clock.now() ? Math.min(retryAt, lastChance) : retryAt;
    this.#requestAt(entry, entry.renewAt);
    onProblem(entry.owner, problem);
  }

  #requestAt(entry: Entry, time: number): void {
    entry.cancel = wakeAt(this.#options.clock, time, () => this.#request(entry));
  }
}

const ownerKey = ({ identity, worker }: CertificateOwner): string => `${worker} ${identity}`;
