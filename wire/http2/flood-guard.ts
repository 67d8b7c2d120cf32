import { ERROR_CODE } from "./error-code.ts";
import { Http2ConnectionError } from "./http2-error.ts";

/** What a peer can do without getting anything done. */
export type Nuisance =
  | "reset"
  | "ping"
  | "settings"
  | "goaway"
  | "empty-data"
  | "window-update"
  | "priority"
  | "unknown-frame"
  | "refused-stream";

interface Allowance {
  /** How often at once, after a rest. */
  readonly burst: number;
  readonly perSecond: number;
  /** How often more for each head and each frame of DATA that the peer had from us: what an honest peer sends beside receiving. */
  readonly perSent: number;
}

/**
 * Allowances on one connection. Honest peers stay far below: a proxy with 100 streams resets a handful a second, gRPC sends a
 * PING and two WINDOW_UPDATE frames for a batch of data. Rapid reset (CVE-2023-44487) and the resets that a peer provokes us to
 * send (MadeYouReset, CVE-2025-8671) spend the same allowance; a stream that was answered before it was reset earned its own, so
 * that clients which end every tunnel with a reset may do so all day.
 */
const ALLOWANCES: Readonly<Record<Nuisance, Allowance>> = {
  reset: { burst: 200, perSecond: 33, perSent: 1 },
  ping: { burst: 200, perSecond: 10, perSent: 1 },
  // gRPC sends its new window with SETTINGS, as often as it measures another one.
  settings: { burst: 100, perSecond: 10, perSent: 0 },
  goaway: { burst: 20, perSecond: 1, perSent: 0 },
  "empty-data": { burst: 100, perSecond: 10, perSent: 0 },
  "window-update": { burst: 1_000, perSecond: 100, perSent: 3 },
  priority: { burst: 500, perSecond: 50, perSent: 1 },
  // Browsers send PRIORITY_UPDATE (RFC 9218) for requests.
  "unknown-frame": { burst: 200, perSecond: 10, perSent: 1 },
  "refused-stream": { burst: 200, perSecond: 33, perSent: 0 },
};

/** What is left of one allowance. */
interface Account {
  readonly allowance: Allowance;
  left: number;
  /** {@link FloodGuard.sent} was called so often when it was looked at last. */
  sent: number;
}

/** Counts what a peer does without getting anything done, and ends the connection when it is too much. */
export class FloodGuard {
  /** Of what has happened. */
  readonly #accounts = new Map<Nuisance, Account>();
  #filledAtMs: number;
  #sent = 0;

  constructor(nowMs: number) {
    this.#filledAtMs = nowMs;
  }

  /** @throws Http2ConnectionError ENHANCE_YOUR_CALM when there was too much of it */
  spend(kind: Nuisance, nowMs: number): void {
    const account = this.#accounts.get(kind) ?? this.#open(kind);
    this.#earn(account);
    if (account.left < 1) this.#refill(nowMs);
    if (account.left < 1) throw new Http2ConnectionError(ERROR_CODE.enhanceYourCalm, `too many: ${kind}`);
    account.left--;
  }

  /** We sent a head or a frame of DATA. */
  sent(): void {
    this.#sent++;
  }

  #open(kind: Nuisance): Account {
    const allowance = ALLOWANCES[kind];
    const account = { allowance, left: allowance.burst, sent: this.#sent };
    this.#accounts.set(kind, account);
    return account;
  }

  #refill(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#filledAtMs) / 1000;
    this.#filledAtMs = nowMs;
    for (const account of this.#accounts.values()) {
      this.#earn(account);
      add(account, seconds * account.allowance.perSecond);
    }
  }

  /** What was sent since the account was looked at last. */
  #earn(account: Account): void {
    add(account, (this.#sent - account.sent) * account.allowance.perSent);
    account.sent = this.#sent;
  }
}

const add = (account: Account, earned: number): void => {
  account.left = Math.min(account.allowance.burst, account.left + earned);
};
