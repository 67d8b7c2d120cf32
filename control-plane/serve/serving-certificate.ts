import type { CertificateAuthority } from "#certs/issue/certificate-authority.ts";
import { renewalTime } from "#certs/issue/renewal.ts";
import { secureContextOptions } from "#certs/tls/tls-contexts.ts";
import { type Credentials, credentialsOf } from "#certs/verify/credentials.ts";
import { generateKeyPair } from "#certs/x509/key-pair.ts";
import { backoffDelayMs } from "#mesh/backoff.ts";
import type { Clock } from "#mesh/clock.ts";
import { wakeAt } from "#mesh/wake-at.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { spiffeIdOf } from "#mesh/spiffe-id.ts";
import type { Log } from "../log.ts";
import { RenewableCredentials } from "./renewable-credentials.ts";

/** The name by which clients know the control plane, whatever its address. */
export const CONTROL_PLANE_NAME = "heddle-control-plane.heddle-system.svc";
const NAMESPACE = "heddle-system";
const SERVICE_ACCOUNT = "heddle-control-plane";

const RETRY = { firstMs: 1_000, maxMs: 60_000, jitter: 0.2 };

/** The control plane's own certificate, from its own authority; with a new key at each half-life. */
export class ServingCertificate {
  readonly #authority: CertificateAuthority;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: () => number;
  #credentials: RenewableCredentials | undefined;
  #cancelRenewal: () => void = () => {};
  #failures = 0;

  /** @param random a number from 0 to 1, as from Math.random */
  constructor(authority: CertificateAuthority, clock: Clock, log: Log, random: () => number) {
    this.#authority = authority;
    this.#clock = clock;
    this.#log = log;
    this.#random = random;
  }

  /** The first certificate. From now on it renews itself. */
  start(): Result<RenewableCredentials, string> {
    const issued = this.#issue();
    if (!issued.ok) return issued;
    this.#credentials = new RenewableCredentials(secureContextOptions(issued.value, this.#authority.bundle));
    this.#renewInTime(issued.value);
    return ok(this.#credentials);
  }

  stop(): void {
    this.#cancelRenewal();
  }

  /** Replaces the certificate now. What was there stays where that fails, and it is tried again. */
  renew(): void {
    this.#cancelRenewal();
    const issued = this.#issue();
    if (issued.ok) {
      this.#failures = 0;
      this.#credentials?.renew(secureContextOptions(issued.value, this.#authority.bundle));
      this.#renewInTime(issued.value);
      return;
    }
    this.#log.error({ reason: issued.error }, `cannot renew the control plane's own certificate: ${issued.error}`);
    const delayMs = backoffDelayMs(RETRY, this.#failures, this.#random);
    this.#failures += 1;
    this.#cancelRenewal = this.#clock.after(delayMs, () => this.renew());
  }

  #issue(): Result<Credentials, string> {
    const { trustDomain } = this.#authority.set;
    const id = spiffeIdOf({ trustDomain, namespace: NAMESPACE, serviceAccount: SERVICE_ACCOUNT });
    const keys = generateKeyPair();
    const chain = this.#authority.issue({
      id,
      publicKey: keys.publicKey,
      node: CONTROL_PLANE_NAME,
      holder: CONTROL_PLANE_NAME,
      dnsNames: [CONTROL_PLANE_NAME],
    });
    if (!chain.ok) return chain;
    const credentials = credentialsOf(keys.privateKey, chain.value);
    return credentials.ok ? credentials : err(credentials.error.message);
  }

  #renewInTime({ notAfter }: Credentials): void {
    const now = this.#clock.now();
    const at = renewalTime({ from: now, until: notAfter }, this.#random);
    this.#cancelRenewal = wakeAt(this.#clock, at, () => this.renew());
  }
}
