import { authorityWarnings } from "#certs/issue/authority-status.ts";
import type { AuthorityChange, CertificateAuthority } from "#certs/issue/certificate-authority.ts";
import type { NodeTrust } from "#certs/issue/rotation.ts";
import { assertNever } from "#mesh/assert-never.ts";
import type { Clock } from "#mesh/clock.ts";
import { ClockWatch } from "#mesh/clock-watch.ts";
import { errorText, type Log } from "../log.ts";

/** A rotation takes half a minute at least; a second more is not noticed. */
const TICK_MS = 1_000;
/** An operator who did not see it yesterday sees it today. */
const WARN_EVERY_MS = 24 * 3_600_000;

const FINGERPRINT = /[0-9a-f]{16,64}/g;

export interface KeeperDependencies {
  readonly authority: CertificateAuthority;
  /** Which roots each node has accepted. */
  readonly trust: () => readonly NodeTrust[];
  /** A new root signs: what still has a certificate under the old one should get another. */
  readonly onNewRoot: () => void;
  /** Called before each step: what is left to be done of the last one. */
  readonly onTick?: () => void;
  /** The time of day was set: what was signed by another time may be of the future, or have ended. */
  readonly onClockSet: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Lets the certificate authority take the steps that are due: rotation of roots, renewal of the issuing CA. */
export class AuthorityKeeper {
  readonly #deps: KeeperDependencies;
  #cancel: () => void = () => {};
  #lastProblem = "";
  #warnedAtMs = -Infinity;
  #watch: ClockWatch | undefined;

  constructor(deps: KeeperDependencies) {
    this.#deps = deps;
  }

  start(): void {
    this.#watch = new ClockWatch(TICK_MS, this.#deps.clock.now());
    this.#cancel = this.#deps.clock.after(TICK_MS, () => {
      this.#watchClock();
      this.tick();
      this.start();
    });
  }

  stop(): void {
    this.#cancel();
  }

  /** Takes what is due now. Never throws. */
  tick(): void {
    const { authority, trust, onTick } = this.#deps;
    try {
      onTick?.();
      const advanced = authority.advance(trust());
      if (advanced.ok) for (const change of advanced.value) this.#tell(change);
      this.#complain(advanced.ok ? "" : advanced.error);
      this.#warn();
    } catch (error) {
      this.#complain(errorText(error));
    }
  }

  #watchClock(): void {
    const { clock, log, onClockSet } = this.#deps;
    const jumpMs = this.#watch?.look(clock.now()) ?? 0;
    if (jumpMs === 0) return;
    log.warn(
      { seconds: Math.round(jumpMs / 1_000) },
      "the clock was set, or the machine slept: certificates are signed by it",
    );
    this.#warnedAtMs = -Infinity;
    onClockSet();
  }

  #tell(change: AuthorityChange): void {
    const { log, onNewRoot } = this.#deps;
    const name = change.fingerprint.slice(0, 16);
    switch (change.kind) {
      case "issuing-replaced":
        log.info(change, `the issuing CA was renewed: ${name} signs from now on`);
        return;
      case "root-signing":
        log.info(change, `every node trusts root ${name}: it signs from now on`);
        onNewRoot();
        return;
      case "root-dropped":
        log.info(change, `root ${name} is used by nobody any more and is no longer trusted`);
        return;
      default:
        assertNever(change);
    }
  }

  /** Once for each problem, not once a second: a new key has a new name each time that it cannot be written. */
  #complain(problem: string): void {
    const kind = problem.replaceAll(FINGERPRINT, "");
    if (problem !== "" && kind !== this.#lastProblem) {
      this.#deps.log.error({ reason: problem }, `the certificate authority cannot take its next step: ${problem}`);
    }
    this.#lastProblem = kind;
  }

  #warn(): void {
    const { authority, clock, log } = this.#deps;
    if (clock.now() - this.#warnedAtMs < WARN_EVERY_MS) return;
    this.#warnedAtMs = clock.now();
    for (const warning of authorityWarnings(authority.set, clock.now())) log.warn({}, warning);
  }
}
