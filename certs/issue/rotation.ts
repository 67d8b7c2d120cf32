import { assertNever } from "#mesh/assert-never.ts";
import { err, ok, type Result } from "#mesh/result.ts";

/**
 * The change from one root to the next, without a moment in which a node meets a certificate that it cannot verify:
 *
 *     signing A ──announce B──> A signs, B is trusted ──every node holds B──> B signs, A is trusted ──A unused──> signing B
 *
 * The state says what is; {@link dueEvent} says what may happen now; {@link transition} makes it so. Nothing here signs,
 * stores or sends: who does brings the state along, through restarts too.
 */
export interface RotationState {
  /** The root that new certificates chain to. */
  readonly signing: SigningRoot;
  /** Trusted, so that it can sign once all know it. */
  readonly announced: AnnouncedRoot | undefined;
  /** Trusted for the sake of certificates that are still about. Oldest first. */
  readonly retiring: readonly RetiringRoot[];
}

/** SHA-256 of a root certificate, lower-case hex. */
export type RootId = string;

export interface SigningRoot {
  readonly root: RootId;
  /** The longest lifetime that a leaf under this root was ever given. */
  readonly longestLeafMs: number;
}

export interface AnnouncedRoot {
  readonly root: RootId;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface RetiringRoot {
  readonly root: RootId;
  /** Milliseconds since 1970; when it stopped signing. */
  readonly since: number;
  /** Milliseconds since 1970; the last moment at which a leaf under it can be valid. */
  readonly until: number;
}

export type RotationEvent =
  | { readonly kind: "announce"; readonly root: RootId; readonly now: number }
  /** The announced root is withdrawn; nothing was signed under it. */
  | { readonly kind: "cancel" }
  /** The announced root signs from now on. */
  | { readonly kind: "sign"; readonly now: number }
  | { readonly kind: "drop"; readonly root: RootId }
  /** A leaf with this lifetime is about to be signed. */
  | { readonly kind: "lend"; readonly lifetimeMs: number };

/** What is known of a node when it is asked whether it trusts a root. It may be one that was not seen since the start. */
export interface NodeTrust {
  readonly node: string;
  /** Of the last bundle that it acknowledged. */
  readonly roots: ReadonlySet<RootId>;
  /** Milliseconds since 1970; undefined while it is connected; the start of the process if it was not seen since. */
  readonly disconnectedSince: number | undefined;
}

/** What an event depends on, as it is now. */
export interface RotationView {
  readonly now: number;
  /** Since when the connected nodes are being watched: the start of the process. */
  readonly watchingSince: number;
  readonly nodes: readonly NodeTrust[];
  /** Nodes that an operator has decided not to wait for. */
  readonly leftBehind: ReadonlySet<string>;
  readonly pace: RotationPace;
  /** Whether every leaf under a root is known to have ended, or to have been replaced by one under another. */
  readonly isUnused: (root: RootId) => boolean;
}

/** How much time a rotation gives at least. Milliseconds. */
export interface RotationPace {
  /**
   * Before a new root signs, for nodes to connect: right after a start none is there yet, and one that is just reconnecting
   * (a ztunnel waits up to 15 s) counts as connected.
   */
  readonly settleMs: number;
  /** Before an old root goes, though nothing under it is in use: handshakes with replaced leaves may be under way. */
  readonly minRetirementMs: number;
}

export const DEFAULT_PACE: RotationPace = { settleMs: 30_000, minRetirementMs: 10 * 60_000 };

/** A trust domain that begins with its first root. */
export const firstRotationState = (root: RootId): RotationState => ({
  signing: { root, longestLeafMs: 0 },
  announced: undefined,
  retiring: [],
});

/** Every root that is trusted; one that signs is always among them. */
export const trustedRoots = ({ signing, announced, retiring }: RotationState): readonly RootId[] => [
  ...retiring.map(({ root }) => root),
  signing.root,
  ...(announced ? [announced.root] : []),
];

/** The state after an event, or why the event cannot happen in this state. */
export const transition = (state: RotationState, event: RotationEvent): Result<RotationState, string> => {
  const { signing, announced, retiring } = state;
  switch (event.kind) {
    case "announce":
      if (announced) return err(`root ${short(announced.root)} is announced already; it signs when every node has it`);
      if (trustedRoots(state).includes(event.root)) return err(`root ${short(event.root)} is trusted already`);
      return ok({ ...state, announced: { root: event.root, since: event.now } });
    case "cancel":
      return announced ? ok({ ...state, announced: undefined }) : err("no root is announced");
    case "sign":
      return announced ? ok(signUnder(announced, state, event.now)) : err("no root is announced");
    case "drop":
      return retiring.some(({ root }) => root === event.root)
        ? ok({ ...state, retiring: retiring.filter(({ root }) => root !== event.root) })
        : err(`root ${short(event.root)} is not retiring`);
    case "lend":
      return ok({
        ...state,
        signing: { ...signing, longestLeafMs: Math.max(signing.longestLeafMs, event.lifetimeMs) },
      });
    default:
      return assertNever(event);
  }
};

/** What should happen now; undefined while everything has to wait. Ask again after each {@link transition}. */
export const dueEvent = (state: RotationState, view: RotationView): RotationEvent | undefined => {
  const done = state.retiring.find((retiring) => mayDrop(retiring, view));
  if (done) return { kind: "drop", root: done.root };
  const since = state.announced && Math.max(pastOnly(state.announced.since, view.now), view.watchingSince);
  const settled = since !== undefined && view.now - since >= view.pace.settleMs;
  return settled && nodesWithout(state, view).length === 0 ? { kind: "sign", now: view.now } : undefined;
};

/**
 * The nodes that hold back an announced root because they have not acknowledged it. One that is not connected counts too: its
 * workers serve on with what they have, and would refuse whoever has a certificate under the new root. It counts until its own
 * last certificate has ended, which is when nobody accepts it any more anyway; or until an operator leaves it behind.
 */
export const nodesWithout = (state: RotationState, view: RotationView): readonly string[] => {
  const { announced } = state;
  if (!announced) return [];
  const graceMs = Math.max(view.pace.settleMs, longestLeafMs(state));
  return view.nodes
    .filter((node) => counts(node, graceMs, view) && !node.roots.has(announced.root))
    .map(({ node }) => node);
};

const signUnder = ({ root }: AnnouncedRoot, { signing, retiring }: RotationState, now: number): RotationState => ({
  signing: { root, longestLeafMs: 0 },
  announced: undefined,
  retiring: [...retiring, { root: signing.root, since: now, until: now + signing.longestLeafMs }],
});

const mayDrop = ({ root, since, until }: RetiringRoot, { now, pace, isUnused }: RotationView): boolean =>
  now >= since + pace.minRetirementMs && (now >= until || isUnused(root));

const counts = ({ node, disconnectedSince }: NodeTrust, graceMs: number, { now, leftBehind }: RotationView): boolean =>
  !leftBehind.has(node) && (disconnectedSince === undefined || now - disconnectedSince < graceMs);

/** Of any leaf that may still be valid. */
const longestLeafMs = ({ signing, retiring }: RotationState): number =>
  Math.max(signing.longestLeafMs, ...retiring.map(({ since, until }) => until - since));

/** A time that is to come was noted while the clock was ahead, and says nothing. */
const pastOnly = (time: number, now: number): number => (time <= now ? time : -Infinity);

const short = (root: RootId): string => root.slice(0, 16);
